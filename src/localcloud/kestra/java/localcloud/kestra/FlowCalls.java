package localcloud.kestra;

import io.kestra.core.models.QueryFilter;
import io.kestra.core.models.flows.FlowSource;
import io.kestra.core.models.flows.FlowWithSource;
import io.kestra.core.models.flows.GenericFlow;
import io.kestra.core.repositories.FlowRepositoryInterface;
import io.kestra.core.services.FlowService;
import io.kestra.core.services.GraphService;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Flows: create, read, update, delete, search, validate. */
final class FlowCalls {
    private final FlowService flows;
    private final GraphService graphs;
    private final FlowRepositoryInterface repository;

    FlowCalls(Engine engine) {
        flows = engine.bean(FlowService.class);
        graphs = engine.bean(GraphService.class);
        repository = engine.bean(FlowRepositoryInterface.class);
    }

    void register(Routes routes) {
        routes.on(Api.FLOW_CREATE, this::create);
        routes.on(Api.FLOW_VALIDATE, this::validate);
        routes.on(Api.FLOW_SEARCH, this::search);
        routes.on(Api.FLOWS_OF_NAMESPACE, this::ofNamespace);
        routes.on(Api.FLOW_READ, this::read);
        routes.on(Api.FLOW_GRAPH, this::graph);
        routes.on(Api.FLOW_UPDATE, this::update);
        routes.on(Api.FLOW_DELETE, this::delete);
    }

    private Reply create(Request request) throws Exception {
        request.refuse("draft");
        GenericFlow flow = parse(request.text());
        if (find(flow.getNamespace(), flow.getId(), Optional.empty()).isPresent()) {
            throw Problem.exists("Flow " + flow.getNamespace() + "." + flow.getId() + " exists already.");
        }
        return Reply.json(flows.create(flow));
    }

    private Reply update(Request request) throws Exception {
        request.refuse("draft");
        FlowWithSource previous = flow(request);
        GenericFlow flow = parse(request.text());
        if (!flow.getId().equals(previous.getId()) || !flow.getNamespace().equals(previous.getNamespace())) {
            throw Problem.invalid("The flow's id and namespace cannot be changed: the path says "
                + previous.getNamespace() + "." + previous.getId() + ", the source "
                + flow.getNamespace() + "." + flow.getId() + ".");
        }
        return Reply.json(flows.update(flow, previous));
    }

    private Reply read(Request request) {
        FlowWithSource flow = flow(request);
        // Without its source a flow is the same object less one field.
        return Reply.json(request.flag("source", false) ? flow : flow.toFlow());
    }

    /** The flow's tasks as nodes, edges and clusters, as the UI draws them. */
    private Reply graph(Request request) throws Exception {
        request.refuse("subflows");
        return Reply.json(graphs.flowGraph(flow(request), List.of()));
    }

    private Reply delete(Request request) {
        flows.delete(flow(request));
        return Reply.empty(204);
    }

    private Reply ofNamespace(Request request) {
        return Reply.json(repository.findByNamespace(Engine.TENANT, request.path("namespace")));
    }

    private Reply search(Request request) throws Exception {
        return Reply.json(Page.of(
            () -> repository.find(
                Filters.page(request, Function.identity()),
                Engine.TENANT,
                Filters.of(request, QueryFilter.Resource.FLOW)),
            Function.identity()));
    }

    /** Several flows may stand in one body, divided by a line of three dashes. */
    private Reply validate(Request request) throws Exception {
        List<FlowSource> sources = new ArrayList<>();
        for (String source : request.text().split("(?m)^---\\s*$")) {
            if (!source.isBlank()) {
                sources.add(new FlowSource("flow-" + sources.size(), source));
            }
        }
        return Reply.json(flows.validate(Engine.TENANT, sources));
    }

    private static GenericFlow parse(String source) {
        GenericFlow flow = GenericFlow.fromYaml(Engine.TENANT, source);
        if (flow.getId() == null || flow.getNamespace() == null) {
            throw Problem.invalid("A flow needs an id and a namespace.");
        }
        return flow;
    }

    private FlowWithSource flow(Request request) {
        String namespace = request.path("namespace");
        String id = request.path("id");
        return find(namespace, id, request.number("revision"))
            .orElseThrow(() -> Problem.notFound("There is no flow " + namespace + "." + id + "."));
    }

    private Optional<FlowWithSource> find(String namespace, String id, Optional<Integer> revision) {
        return repository.findByIdWithSource(Engine.TENANT, namespace, id, revision, false);
    }
}
