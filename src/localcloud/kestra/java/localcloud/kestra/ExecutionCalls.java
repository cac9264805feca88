package localcloud.kestra;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kestra.core.executor.command.Create;
import io.kestra.core.models.Label;
import io.kestra.core.models.QueryFilter;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.executions.ExecutionId;
import io.kestra.core.models.flows.Flow;
import io.kestra.core.models.flows.State;
import io.kestra.core.models.flows.check.Check;
import io.kestra.core.repositories.ExecutionRepositoryInterface;
import io.kestra.core.runners.ExecutionEvent;
import io.kestra.core.runners.FlowInputOutput;
import io.kestra.core.services.ExecutionService;
import io.kestra.core.services.FlowService;
import io.kestra.core.storages.StorageInterface;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** Executions: start, read, search, delete. */
final class ExecutionCalls {
    private static final Duration LONGEST_WAIT = Duration.ofHours(1);
    private static final Duration LONGEST_LOOK = Duration.ofMillis(100);
    /** The queue that a step puts something into when it has changed an execution. */
    private static final String CHANGES = AtomicSteps.queueOf(ExecutionEvent.class);
    private static final String SYSTEM_LABELS = "system.";

    private final Engine engine;
    private final FlowService flows;
    private final ExecutionService executions;
    private final ExecutionRepositoryInterface repository;
    private final FlowInputOutput inputs;
    private final StorageInterface storage;
    private final CommandQueue commands;
    private final Follower follower;
    private final Settings settings;

    ExecutionCalls(Engine engine, Settings settings) {
        this.engine = engine;
        flows = engine.bean(FlowService.class);
        executions = engine.bean(ExecutionService.class);
        repository = engine.bean(ExecutionRepositoryInterface.class);
        inputs = engine.bean(FlowInputOutput.class);
        storage = engine.bean(StorageInterface.class);
        commands = new CommandQueue(engine);
        follower = new Follower(engine);
        this.settings = settings;
    }

    void register(Routes routes) {
        routes.on(Api.EXECUTION_SEARCH, this::search);
        routes.on(Api.EXECUTION_READ, request -> Reply.json(Executions.full(find(request))));
        routes.on(Api.EXECUTION_FOLLOW, request -> follower.follow(find(request)));
        routes.on(Api.EXECUTION_DELETE, this::delete);
        routes.on(Api.EXECUTION_CREATE, this::create);
    }

    private Execution find(Request request) {
        return Executions.find(repository, request);
    }

    private Reply search(Request request) throws Exception {
        request.refuse("dateFilter");
        return Reply.json(Page.of(
            () -> repository.find(
                Filters.page(request, repository.sortMapping()),
                Engine.TENANT,
                Filters.of(request, QueryFilter.Resource.EXECUTION)),
            Executions::light));
    }

    private Reply create(Request request) throws Exception {
        request.refuse("kind", "breakpoints");
        Flow flow = flows.getFlowIfExecutableOrThrow(
            Engine.TENANT, request.path("namespace"), request.path("flow"), request.number("revision"));
        List<Label> labels = labels(request.queries("labels"));
        Instant scheduled = request.query("scheduleDate").map(ExecutionCalls::instant).orElse(null);
        Execution execution;
        try (Form form = request.form(settings.uploads())) {
            execution = Execution.newExecution(
                flow,
                (f, draft) -> inputs.readExecutionInputs(f, draft, values(form, draft)),
                labels,
                Optional.empty());
        }
        Create command = Create.of(new ExecutionId(
                Engine.TENANT, flow.getNamespace(), flow.getId(), execution.getId(), flow.getRevision()))
            .withLabels(labels)
            .withInputs(execution.getInputs())
            .withScheduleDate(scheduled)
            .withStateType(afterChecks(flow, execution));
        Execution current = commands.make(execution.getId(), command::withOperationId);
        if (request.flag("wait", false)) {
            current = awaitEnd(flow, current);
        }
        ObjectNode node = Executions.whole(current);
        node.remove("tenantId");
        node.put("url", "http://" + settings.host() + ":" + settings.port() + "/ui/" + Engine.TENANT + "/executions/"
            + flow.getNamespace() + "/" + flow.getId() + "/" + current.getId());
        return Reply.json(node);
    }

    /** FAILED when a check of the flow says so, null for the usual state. */
    private State.Type afterChecks(Flow flow, Execution execution) {
        List<Check> failed = flows.getFailedChecks(flow, execution.getInputs());
        return switch (Check.resolveBehavior(failed)) {
            case BLOCK_EXECUTION -> throw Problem.argument(
                "Flow execution blocked: one or more condition checks evaluated to false.\nFailed checks: "
                    + failed.stream().map(Check::getMessage).collect(Collectors.joining(", ")));
            case FAIL_EXECUTION -> State.Type.FAILED;
            case CREATE_EXECUTION -> null;
        };
    }

    /** The form's parts as inputs; a file goes to the internal storage and its address is the value. */
    private Map<String, Object> values(Form form, Execution draft) {
        Map<String, Object> values = new LinkedHashMap<>(form.fields());
        form.files().forEach((name, file) -> {
            try {
                values.put(name, storage.from(draft, name, file.name(), file.content()).toString());
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        return values;
    }

    private Execution awaitEnd(Flow flow, Execution execution) throws InterruptedException {
        long end = System.nanoTime() + LONGEST_WAIT.toNanos();
        Execution current = execution;
        long heard = engine.bells().rings(CHANGES);
        while (!executions.isTerminated(flow, current) && System.nanoTime() < end) {
            engine.bells().sleep(CHANGES, heard, LONGEST_LOOK);
            if (Thread.interrupted()) {
                throw new InterruptedException("the server stops");
            }
            heard = engine.bells().rings(CHANGES);
            current = repository.findById(Engine.TENANT, execution.getId()).orElse(current);
        }
        return current;
    }

    private static List<Label> labels(List<String> texts) {
        List<Label> labels = new ArrayList<>();
        for (String text : texts) {
            int colon = text.indexOf(':');
            if (colon < 1 || colon == text.length() - 1) {
                throw Problem.invalid("A label is key:value, not " + text + ".");
            }
            String key = text.substring(0, colon);
            if (key.startsWith(SYSTEM_LABELS) && !key.equals(Label.CORRELATION_ID) && !key.equals(Label.FROM)) {
                throw Problem.invalid(
                    "Labels that begin with " + SYSTEM_LABELS + " are the server's own: " + key + ".");
            }
            labels.add(new Label(key, text.substring(colon + 1)));
        }
        if (labels.stream().noneMatch(label -> label.key().equals(Label.FROM))) {
            labels.add(new Label(Label.FROM, "api"));
        }
        return labels;
    }

    private static Instant instant(String text) {
        try {
            return OffsetDateTime.parse(text).toInstant();
        } catch (DateTimeParseException e) {
            throw Problem.badRequest("scheduleDate is a date and time with an offset, not " + text + ".");
        }
    }

    private Reply delete(Request request) throws IOException {
        executions.delete(
            find(request),
            request.flag("deleteLogs", true),
            request.flag("deleteMetrics", true),
            request.flag("deleteStorage", true));
        return Reply.empty(204);
    }
}
