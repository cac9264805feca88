package localcloud.kestra;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Every call that the face offers: method, path, the media type that it makes and the one that it
 * takes, as a full Kestra 2.0 server declares them. Of two that match a path, the first answers.
 *
 * <p>A server's routes are strict: one whose type the Accept header does not name answers 406, a
 * body of another type 415. The rules are those of Micronaut's router (`DefaultRouteInfo`).
 */
enum Api {
    /** Open to everybody: what a client asks to learn which server this is. */
    CONFIGS("GET", "/configs", Media.JSON),

    FLOW_CREATE("POST", "/main/flows", Media.JSON, Media.YAML),
    FLOW_VALIDATE("POST", "/main/flows/validate", Media.JSON, Media.YAML),
    FLOW_SEARCH("GET", "/main/flows/search", Media.JSON),
    FLOWS_OF_NAMESPACE("GET", "/main/flows/{namespace}", Media.JSON),
    FLOW_READ("GET", "/main/flows/{namespace}/{id}", Media.JSON),
    FLOW_GRAPH("GET", "/main/flows/{namespace}/{id}/graph", Media.JSON),
    FLOW_UPDATE("PUT", "/main/flows/{namespace}/{id}", Media.JSON, Media.YAML),
    FLOW_DELETE("DELETE", "/main/flows/{namespace}/{id}", Media.JSON, Media.JSON),

    EXECUTION_SEARCH("GET", "/main/executions/search", Media.JSON),
    EXECUTION_READ("GET", "/main/executions/{id}", Media.JSON),
    EXECUTION_FOLLOW("GET", "/main/executions/{id}/follow", Media.EVENTS),
    EXECUTION_FILE("GET", "/main/executions/{id}/file", Media.BYTES),
    EXECUTION_DELETE("DELETE", "/main/executions/{id}", Media.JSON, Media.JSON),
    EXECUTION_CREATE("POST", "/main/executions/{namespace}/{flow}", Media.JSON, Media.FORM),
    EXECUTION_KILL("DELETE", "/main/executions/{id}/actions/kill", Media.TEXT_JSON, Media.JSON),
    EXECUTION_RESTART("POST", "/main/executions/{id}/actions/restart", Media.JSON, Media.JSON),
    EXECUTION_REPLAY("POST", "/main/executions/{id}/actions/replay", Media.JSON, Media.JSON),

    LOG_READ("GET", "/main/logs/{id}", Media.JSON),
    OUTPUTS_OF_EXECUTION("GET", "/main/outputs/executions/{id}", Media.JSON),
    OUTPUTS_OF_TASKS("GET", "/main/outputs/tasks/{id}", Media.JSON),
    OUTPUTS_OF_TASK_RUN("GET", "/main/outputs/tasks/{id}/{taskRun}", Media.JSON),

    KV_LIST("GET", "/main/kv", Media.JSON),
    KV_READ("GET", "/main/namespaces/{namespace}/kv/{key}", Media.JSON),
    KV_WRITE("PUT", "/main/namespaces/{namespace}/kv/{key}", Media.JSON, Media.TEXT),
    KV_DELETE("DELETE", "/main/namespaces/{namespace}/kv/{key}", Media.JSON, Media.JSON),

    FILE_READ("GET", "/main/namespaces/{namespace}/files", Media.BYTES),
    FILE_WRITE("POST", "/main/namespaces/{namespace}/files", Media.JSON, Media.FORM),
    FILE_DELETE("DELETE", "/main/namespaces/{namespace}/files", Media.JSON, Media.JSON),
    FILE_LIST("GET", "/main/namespaces/{namespace}/files/directory", Media.JSON),

    TRIGGER_SEARCH("GET", "/main/triggers/search", Media.JSON),
    TRIGGER_SET_DISABLED("PUT", "/main/triggers/set-disabled", Media.JSON, Media.JSON),
    BACKFILL_CREATE("PUT", "/main/triggers/backfill/create", Media.JSON, Media.JSON),
    BACKFILL_PAUSE("PUT", "/main/triggers/backfill/pause", Media.JSON, Media.JSON),
    BACKFILL_UNPAUSE("PUT", "/main/triggers/backfill/unpause", Media.JSON, Media.JSON),
    BACKFILL_DELETE("POST", "/main/triggers/backfill/delete", Media.JSON, Media.JSON);

    /** What a full server has below its tenant, offered here or not. Anything else is unknown to both. */
    static final Set<String> AREAS = Set.of(
        "flows", "executions", "logs", "outputs", "metrics", "triggers", "namespaces", "kv", "files", "secrets",
        "dashboards", "blueprints", "plugins", "basicAuth", "concurrency-limit", "tests", "assets");

    final String method;
    final List<String> template;
    final String produces;
    private final Optional<String> consumes;

    Api(String method, String path, String produces) {
        this(method, path, produces, null);
    }

    Api(String method, String path, String produces, String consumes) {
        this.method = method;
        this.template = List.of(("api/v1" + path).split("/"));
        this.produces = produces;
        this.consumes = Optional.ofNullable(consumes);
    }

    boolean open() {
        return this == CONFIGS;
    }

    /** Answers 406 or 415 where a full server does. */
    void check(List<String> accept, String contentType) {
        // A GET takes no body, so that nobody looks at its type.
        if (contentType != null && consumes.isPresent() && !Media.is(contentType, consumes.get())) {
            throw Problem.unsupported("Content Type [" + contentType + "] not allowed. Allowed types: ["
                + consumes.get() + "]");
        }
        Predicate<String> taken = type -> Media.is(type, produces) || Media.is(type, Media.ALL);
        List<String> wanted = Media.list(accept);
        if (!wanted.isEmpty() && wanted.stream().noneMatch(taken)) {
            throw Problem.notAcceptable("Specified Accept Types " + wanted + " not supported. Supported types: ["
                + produces + "]");
        }
    }

    /** The media types of the table, and how the router compares them. */
    static final class Media {
        static final String ALL = "*/*";
        static final String JSON = "application/json";
        static final String TEXT_JSON = "text/json";
        static final String TEXT = "text/plain";
        static final String YAML = "application/x-yaml";
        static final String FORM = "multipart/form-data";
        static final String BYTES = "application/octet-stream";
        static final String EVENTS = "text/event-stream";

        private Media() {
        }

        /** The types of all Accept headers. */
        static List<String> list(List<String> headers) {
            return headers.stream()
                .flatMap(header -> List.of(header.split(",")).stream())
                .map(String::strip)
                .filter(type -> !type.isEmpty())
                .toList();
        }

        /** Equal but for parameters and case. A half pattern such as application/* is no type of any route. */
        static boolean is(String type, String known) {
            return type.split(";", 2)[0].strip().toLowerCase(Locale.ROOT).equals(known);
        }
    }
}
