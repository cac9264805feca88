package localcloud.kestra;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.repositories.ExecutionRepositoryInterface;
import java.util.List;

/** Finding one execution, and the shapes that the API gives to executions. */
final class Executions {
    private static final List<String> NOT_IN_TASK_RUN =
        List.of("tenantId", "executionId", "namespace", "flowId", "outputs");
    private static final List<String> NOT_IN_SEARCH =
        List.of("taskRunList", "variables", "metadata", "traceParent", "fixtures", "breakpoints");

    private Executions() {
    }

    static Execution find(ExecutionRepositoryInterface repository, Request request) {
        String id = request.path("id");
        return repository.findById(Engine.TENANT, id)
            .orElseThrow(() -> Problem.notFound("There is no execution " + id + "."));
    }

    /** Kestra 2.0 keeps outputs out of an execution; they have calls of their own. */
    static ObjectNode full(Execution execution) {
        ObjectNode node = Reply.JSON.valueToTree(execution);
        node.remove(List.of("deleted", "outputs"));
        for (JsonNode taskRun : node.path("taskRunList")) {
            ((ObjectNode) taskRun).remove(NOT_IN_TASK_RUN);
        }
        return node;
    }

    /** What a search gives of each execution. */
    static ObjectNode light(Execution execution) {
        ObjectNode node = full(execution);
        node.remove(NOT_IN_SEARCH);
        return node;
    }
}
