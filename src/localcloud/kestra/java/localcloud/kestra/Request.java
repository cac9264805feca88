package localcloud.kestra;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One call: the variables of its path, its query and its body. */
final class Request {
    /** Largest body that is held in memory: flow sources, KV values and JSON. */
    static final long TEXT_LIMIT = 8 << 20;

    private final HttpExchange exchange;
    private final Map<String, String> path;
    private final Map<String, List<String>> query;
    private final long bodyLimit;

    Request(HttpExchange exchange, Map<String, String> path, long bodyLimit) {
        this.exchange = exchange;
        this.path = path;
        this.query = parse(exchange.getRequestURI().getRawQuery());
        this.bodyLimit = bodyLimit;
    }

    String path(String name) {
        return path.get(name);
    }

    Map<String, List<String>> query() {
        return query;
    }

    Optional<String> query(String name) {
        return queries(name).stream().findFirst().filter(value -> !value.isEmpty());
    }

    List<String> queries(String name) {
        return query.getOrDefault(name, List.of());
    }

    String required(String name) {
        return query(name).orElseThrow(() -> Problem.badRequest("The query parameter " + name + " is missing."));
    }

    /** Answers 501 when one of these is asked for: what it does on a full server is not done here. */
    void refuse(String... names) {
        for (String name : names) {
            if (query(name).isPresent()) {
                throw Problem.notOffered(exchange.getRequestMethod(),
                    exchange.getRequestURI().getPath() + " with " + name);
            }
        }
    }

    boolean flag(String name, boolean ifAbsent) {
        return query(name).map(value -> switch (value) {
            case "true" -> true;
            case "false" -> false;
            default -> throw Problem.badRequest(name + " must be true or false, not " + value + ".");
        }).orElse(ifAbsent);
    }

    Optional<Integer> number(String name) {
        return query(name).map(value -> {
            try {
                return Integer.valueOf(value);
            } catch (NumberFormatException e) {
                throw Problem.badRequest(name + " must be a whole number, not " + value + ".");
            }
        });
    }

    Optional<String> header(String name) {
        return Optional.ofNullable(exchange.getRequestHeaders().getFirst(name));
    }

    List<String> headers(String name) {
        return exchange.getRequestHeaders().getOrDefault(name, List.of());
    }

    String text() throws IOException {
        return new String(stream(Math.min(TEXT_LIMIT, bodyLimit)).readAllBytes(), StandardCharsets.UTF_8);
    }

    JsonNode json() throws IOException {
        JsonNode node = Reply.JSON.readTree(text());
        if (node == null || !node.isContainerNode()) {
            throw Problem.badRequest("The body must be JSON.");
        }
        return node;
    }

    /** The form of the body, its files on disk below the folder; close it to remove them. */
    Form form(Path folder) throws IOException {
        return Form.read(header("Content-Type").orElse(""), stream(bodyLimit), folder);
    }

    private InputStream stream(long limit) {
        long announced = header("Content-Length").map(Long::parseLong).orElse(0L);
        if (announced > limit) {
            throw Problem.tooLarge("request body", limit);
        }
        return new LimitedInput(exchange.getRequestBody(), limit);
    }

    private static Map<String, List<String>> parse(String raw) {
        Map<String, List<String>> all = new LinkedHashMap<>();
        if (raw != null) {
            for (String pair : raw.split("&")) {
                int equals = pair.indexOf('=');
                String name = equals < 0 ? pair : pair.substring(0, equals);
                String value = equals < 0 ? "" : pair.substring(equals + 1);
                all.computeIfAbsent(decode(name), key -> new ArrayList<>()).add(decode(value));
            }
        }
        return all;
    }

    private static String decode(String text) {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw Problem.badRequest("The query holds a broken percent escape: " + text);
        }
    }
}
