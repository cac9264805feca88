package localcloud.kestra;

import com.sun.net.httpserver.HttpExchange;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Which call answers which method and path. What is not in here is answered with 501. */
final class Routes {
    private static final String BASE = "/api/v1";

    private final List<Route> routes = new ArrayList<>();

    /** One call of the REST face. */
    @FunctionalInterface
    interface Call {
        Reply answer(Request request) throws Exception;
    }

    private record Route(String method, List<String> template, Call call) {
        Optional<Map<String, String>> match(String asked, List<String> path) {
            if (!method.equals(asked) || path.size() != template.size()) {
                return Optional.empty();
            }
            Map<String, String> variables = new HashMap<>();
            for (int i = 0; i < path.size(); i++) {
                String part = template.get(i);
                if (part.startsWith("{")) {
                    variables.put(part.substring(1, part.length() - 1), path.get(i));
                } else if (!part.equals(path.get(i))) {
                    return Optional.empty();
                }
            }
            return Optional.of(variables);
        }
    }

    static Routes of(Engine engine, Settings settings) {
        Routes routes = new Routes();
        new ServerFacts(engine, settings).register(routes);
        new FlowCalls(engine).register(routes);
        new ExecutionCalls(engine, settings).register(routes);
        new ExecutionActions(engine).register(routes);
        new ResultCalls(engine).register(routes);
        new KvCalls(engine).register(routes);
        new NamespaceFileCalls(engine, settings).register(routes);
        new TriggerCalls(engine).register(routes);
        return routes;
    }

    /** Adds a call below the tenant's path. Of two that match a path, the one added first answers. */
    void tenant(String method, String template, Call call) {
        server(method, "/" + Engine.TENANT + template, call);
    }

    /** Adds a call that belongs to no tenant. */
    void server(String method, String template, Call call) {
        routes.add(new Route(method, List.of((BASE + template).substring(1).split("/")), call));
    }

    Reply call(HttpExchange exchange, long bodyLimit) throws Exception {
        String method = exchange.getRequestMethod();
        String path = exchange.getRequestURI().getRawPath();
        List<String> parts = new ArrayList<>();
        for (String part : path.substring(1).split("/")) {
            // A plus sign is itself in a path.
            parts.add(URLDecoder.decode(part.replace("+", "%2B"), StandardCharsets.UTF_8));
        }
        for (Route route : routes) {
            Optional<Map<String, String>> variables = route.match(method, parts);
            if (variables.isPresent()) {
                return route.call().answer(new Request(exchange, variables.get(), bodyLimit));
            }
        }
        throw Problem.notOffered(method, path);
    }
}
