package localcloud.kestra;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.sun.net.httpserver.HttpExchange;
import io.kestra.core.serializers.JacksonMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** What a call answers; it writes itself to the connection. */
interface Reply {
    /** Kestra's own mapper, set as its web server sets it: the shapes that a full server gives. */
    ObjectMapper JSON = JacksonMapper.ofJson().copy()
        .disable(SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS);

    void send(HttpExchange exchange) throws IOException;

    static Reply json(Object value) {
        return json(value, Api.Media.JSON);
    }

    /** The same JSON under another type's name. */
    static Reply json(Object value, String type) {
        return exchange -> bytes(exchange, 200, type, JSON.writeValueAsBytes(value));
    }

    static Reply empty(int status) {
        return exchange -> exchange.sendResponseHeaders(status, -1);
    }

    static Reply problem(Problem problem) {
        return exchange -> {
            if (problem.status() == 401) {
                exchange.getResponseHeaders().set("WWW-Authenticate", "Basic realm=\"Kestra\"");
            }
            String path = exchange.getRequestURI().getPath();
            bytes(exchange, problem.status(), "application/problem+json", JSON.writeValueAsBytes(problem.body(path)));
        };
    }

    /** A file of the internal storage, as it stands. */
    static Reply file(InputStream content, String name) {
        return exchange -> {
            try (content) {
                exchange.getResponseHeaders().set("Content-Type", Api.Media.BYTES);
                exchange.getResponseHeaders().set("Content-Disposition",
                    "attachment; filename=\"" + name.replaceAll("[\"\\r\\n]", "_") + "\"");
                exchange.sendResponseHeaders(200, 0);
                try (OutputStream out = exchange.getResponseBody()) {
                    content.transferTo(out);
                }
            }
        };
    }

    private static void bytes(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        if (body.length > 0) {
            exchange.getResponseBody().write(body);
        }
    }
}
