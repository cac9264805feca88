package localcloud.kestra;

import com.sun.net.httpserver.HttpExchange;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The way from a request to what answers it. What only a full server has is answered with 501, what
 * no server has with 404.
 */
final class Routes {
    private final Map<Api, Call> calls = new EnumMap<>(Api.class);

    /** One call of the REST face. */
    @FunctionalInterface
    interface Call {
        Reply answer(Request request) throws Exception;
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
        for (Api api : Api.values()) {
            if (!routes.calls.containsKey(api)) {
                throw new IllegalStateException("nothing answers " + api);
            }
        }
        return routes;
    }

    /** Says what answers a call of the table. */
    void on(Api api, Call call) {
        if (calls.put(api, call) != null) {
            throw new IllegalStateException(api + " is answered twice");
        }
    }

    Reply call(HttpExchange exchange, boolean authenticated, long bodyLimit) throws Exception {
        String method = exchange.getRequestMethod();
        String path = exchange.getRequestURI().getRawPath();
        List<String> parts = parts(path);
        for (Api api : Api.values()) {
            Optional<Map<String, String>> variables = match(api, method, parts);
            if (variables.isPresent()) {
                if (!authenticated && !api.open()) {
                    throw Problem.unauthenticated();
                }
                Request request = new Request(exchange, variables.get(), bodyLimit);
                api.check(request.headers("Accept"), request.header("Content-Type").orElse(null));
                return calls.get(api).answer(request);
            }
        }
        if (!authenticated) {
            throw Problem.unauthenticated();
        }
        throw known(parts) ? Problem.notOffered(method, path) : Problem.notFound("There is no " + path + ".");
    }

    private static List<String> parts(String path) {
        List<String> parts = new ArrayList<>();
        for (String part : path.substring(1).split("/")) {
            try {
                // A plus sign is itself in a path.
                parts.add(URLDecoder.decode(part.replace("+", "%2B"), StandardCharsets.UTF_8));
            } catch (IllegalArgumentException e) {
                throw Problem.badRequest("The path holds a broken percent escape.");
            }
        }
        return parts;
    }

    private static Optional<Map<String, String>> match(Api api, String method, List<String> path) {
        if (!api.method.equals(method) || path.size() != api.template.size()) {
            return Optional.empty();
        }
        Map<String, String> variables = new HashMap<>();
        for (int i = 0; i < path.size(); i++) {
            String part = api.template.get(i);
            if (part.startsWith("{")) {
                variables.put(part.substring(1, part.length() - 1), path.get(i));
            } else if (!part.equals(path.get(i))) {
                return Optional.empty();
            }
        }
        return Optional.of(variables);
    }

    /** Whether a full server has something below that path, with or without the tenant in it. */
    private static boolean known(List<String> parts) {
        int area = parts.size() > 3 && parts.get(2).equals(Engine.TENANT) ? 3 : 2;
        return parts.size() > area
            && parts.get(0).equals("api")
            && parts.get(1).equals("v1")
            && Api.AREAS.contains(parts.get(area));
    }
}
