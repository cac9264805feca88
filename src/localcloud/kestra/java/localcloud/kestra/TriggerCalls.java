package localcloud.kestra;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kestra.core.models.QueryFilter;
import io.kestra.core.models.flows.Flow;
import io.kestra.core.models.triggers.AbstractTrigger;
import io.kestra.core.models.triggers.TriggerId;
import io.kestra.core.repositories.FlowRepositoryInterface;
import io.kestra.core.repositories.TriggerRepositoryInterface;
import io.kestra.core.scheduler.events.CreateBackfillTrigger;
import io.kestra.core.scheduler.events.DeleteBackfillTrigger;
import io.kestra.core.scheduler.events.SetDisableTrigger;
import io.kestra.core.scheduler.events.SetPauseBackfillTrigger;
import io.kestra.core.scheduler.events.TriggerEvent;
import io.kestra.core.scheduler.model.TriggerState;
import io.kestra.core.scheduler.queue.TriggerEventQueue;
import io.kestra.core.services.AsyncOperationWaiter;
import io.kestra.core.utils.ListUtils;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/** Triggers: their state, disabling them, and backfills. */
final class TriggerCalls {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final TriggerRepositoryInterface repository;
    private final FlowRepositoryInterface flows;
    private final TriggerEventQueue queue;
    private final AsyncOperationWaiter waiter;

    TriggerCalls(Engine engine) {
        repository = engine.bean(TriggerRepositoryInterface.class);
        flows = engine.bean(FlowRepositoryInterface.class);
        queue = engine.bean(TriggerEventQueue.class);
        waiter = engine.bean(AsyncOperationWaiter.class);
    }

    void register(Routes routes) {
        routes.on(Api.TRIGGER_SEARCH, this::search);
        routes.on(Api.TRIGGER_SET_DISABLED, this::setDisabled);
        routes.on(Api.BACKFILL_CREATE, this::createBackfill);
        routes.on(Api.BACKFILL_PAUSE, request -> pauseBackfill(request, true));
        routes.on(Api.BACKFILL_UNPAUSE, request -> pauseBackfill(request, false));
        routes.on(Api.BACKFILL_DELETE, this::deleteBackfill);
    }

    private Reply search(Request request) throws Exception {
        request.refuse("dateFilter");
        return Reply.json(Page.of(
            () -> repository.find(
                Filters.page(request, repository.sortMapping()),
                Engine.TENANT,
                Filters.of(request, QueryFilter.Resource.TRIGGER)),
            this::withDefinition));
    }

    private Map<String, Object> withDefinition(TriggerState state) {
        Map<String, Object> item = new LinkedHashMap<>();
        item.put("trigger", definition(state));
        item.put("state", shape(state));
        return item;
    }

    private AbstractTrigger definition(TriggerState state) {
        return flows.findById(Engine.TENANT, state.getNamespace(), state.getFlowId())
            .map(Flow::getTriggers)
            .map(ListUtils::emptyOnNull)
            .orElse(List.of())
            .stream()
            .filter(trigger -> trigger.getId().equals(state.getTriggerId()))
            .findFirst()
            .orElse(null);
    }

    private Reply setDisabled(Request request) throws Exception {
        JsonNode body = request.json();
        TriggerState state = state(body);
        JsonNode disabled = required(body, "disabled");
        if (!disabled.isBoolean()) {
            throw Problem.badRequest("disabled must be true or false, not " + disabled + ".");
        }
        return Reply.json(send(state,
            operation -> new SetDisableTrigger(id(state), disabled.booleanValue()).withOperationId(operation)));
    }

    private Reply createBackfill(Request request) throws Exception {
        JsonNode body = request.json();
        TriggerState state = state(body);
        var backfill = Reply.JSON.treeToValue(required(body, "backfill"), CreateBackfillTrigger.Backfill.class);
        if (backfill.start() == null) {
            throw Problem.invalid("backfill.start is missing.");
        }
        if (backfill.end() != null && backfill.end().isBefore(backfill.start())) {
            throw Problem.invalid("backfill.end is before backfill.start.");
        }
        if (state.getBackfill() != null) {
            throw Problem.conflict("A backfill of this trigger runs already, from "
                + state.getBackfill().getStart() + " to " + state.getBackfill().getEnd() + ".");
        }
        return Reply.json(send(state,
            operation -> new CreateBackfillTrigger(id(state), backfill).withOperationId(operation)));
    }

    private Reply pauseBackfill(Request request, boolean pause) throws Exception {
        TriggerState state = state(request.json());
        return withBackfill(state,
            operation -> new SetPauseBackfillTrigger(id(state), pause).withOperationId(operation));
    }

    private Reply deleteBackfill(Request request) throws Exception {
        TriggerState state = state(request.json());
        return withBackfill(state, operation -> new DeleteBackfillTrigger(id(state)).withOperationId(operation));
    }

    /** A trigger without a backfill stays as it is, and that is no error. */
    private Reply withBackfill(TriggerState state, Function<String, TriggerEvent> event) throws TimeoutException {
        return Reply.json(state.getBackfill() == null ? shape(state) : send(state, event));
    }

    /** Sends an event to the scheduler, waits until it has been dealt with, and gives the new state. */
    private Map<String, Object> send(TriggerState state, Function<String, TriggerEvent> event) throws TimeoutException {
        TriggerId id = id(state);
        CommandQueue.refused(
            waiter.submitAndWait(id.uid(), operation -> queue.send(event.apply(operation)), TIMEOUT));
        return shape(repository.findById(id).orElse(state));
    }

    private static TriggerId id(TriggerState state) {
        return TriggerId.of(state.getTenantId(), state.getNamespace(), state.getFlowId(), state.getTriggerId());
    }

    private TriggerState state(JsonNode body) {
        String namespace = required(body, "namespace").asText();
        String flow = required(body, "flowId").asText();
        String trigger = required(body, "triggerId").asText();
        return repository.findById(TriggerId.of(Engine.TENANT, namespace, flow, trigger))
            .orElseThrow(() -> Problem.notFound(
                "The scheduler knows no trigger " + trigger + " of " + namespace + "." + flow
                    + "; it learns of a new one about a second after the flow is saved."));
    }

    private static JsonNode required(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (value.isMissingNode() || value.isNull()) {
            throw Problem.badRequest("The body has no " + field + ".");
        }
        return value;
    }

    /** The state as the API gives it, without the scheduler's own fields. */
    private static Map<String, Object> shape(TriggerState state) {
        ObjectNode all = Reply.JSON.valueToTree(state);
        Map<String, Object> shape = new LinkedHashMap<>();
        for (String field : List.of(
            "namespace", "flowId", "triggerId", "updatedAt", "evaluatedAt", "nextEvaluationDate", "backfill",
            "stopAfter", "disabled", "locked", "workerId", "lastTriggeredDate", "executionId")) {
            if (all.hasNonNull(field)) {
                shape.put(field, all.get(field));
            }
        }
        shape.put("kind", state.getType());
        return shape;
    }
}
