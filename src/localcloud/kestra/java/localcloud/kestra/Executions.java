package localcloud.kestra;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.repositories.ExecutionRepositoryInterface;
import java.util.List;

/** Finding one execution, and the shapes that the API gives to executions. */
final class Executions {
    private static final List<String> NOT_IN_TASK_RUN =
        List.of("tenantId", "executionId", "namespace", "flowId");
    private static final List<String> NOT_IN_SEARCH =
        List.of("taskRunList", "variables", "metadata", "traceParent", "fixtures", "breakpoints");

    private Executions() {
    }

    static Execution find(ExecutionRepositoryInterface repository, Request request) {
        String id = request.path("id");
        return repository.findById(Engine.TENANT, id)
            .orElseThrow(() -> Problem.notFound("There is no execution " + id + "."));
    }

    /**
     * What create, follow and the actions give of an execution. Kestra 2.0 keeps outputs out of it;
     * they have calls of their own.
     */
    static ObjectNode whole(Execution execution) {
        ObjectNode node = Reply.JSON.valueToTree(execution);
        node.remove("outputs");
        for (JsonNode taskRun : node.path("taskRunList")) {
            ((ObjectNode) taskRun).remove("outputs");
        }
        return node;
    }

    /** What reading one execution gives: the same without what the reader knows already. */
    static ObjectNode full(Execution execution) {
        ObjectNode node = whole(execution);
        node.remove("deleted");
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
