package localcloud.kestra;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;

/** The HTTP server: authentication, the way to the right call, and errors as problem+json. */
final class RestServer {
    /** Of a body that is refused unread, this much is read all the same: a client that still
     *  writes when the connection closes never sees the answer. */
    private static final long DRAIN_LIMIT = 64L << 20;

    /** Far more than the kit opens, and too few to take the process's files away. */
    private static final int MOST_CONNECTIONS = 500;

    private static final Pattern OWN_HOST = Pattern.compile("(127\\.0\\.0\\.1|localhost)(:\\d+)?");

    private final HttpServer server;
    private final Routes routes;
    private final Engine engine;
    private final byte[] credentials;
    private final long bodyLimit;

    private RestServer(HttpServer server, Settings settings, Routes routes, Engine engine) {
        this.server = server;
        this.routes = routes;
        this.engine = engine;
        this.bodyLimit = settings.bodyLimit();
        this.credentials = Base64.getEncoder()
            .encode((settings.user() + ":" + settings.password()).getBytes(StandardCharsets.UTF_8));
    }

    static RestServer start(Settings settings, Routes routes, Engine engine) throws IOException {
        // Read once by the server's classes. A connection that only drips bytes, or none, is closed.
        System.setProperty("sun.net.httpserver.maxReqTime", String.valueOf(settings.requestSeconds()));
        System.setProperty("sun.net.httpserver.idleInterval", String.valueOf(settings.requestSeconds()));
        System.setProperty("jdk.httpserver.maxConnections", String.valueOf(MOST_CONNECTIONS));
        HttpServer http = HttpServer.create();
        InetSocketAddress address = new InetSocketAddress(settings.host(), settings.port());
        SharedPort.of(http, address);
        http.bind(address, 0);
        RestServer server = new RestServer(http, settings, routes, engine);
        http.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        http.createContext("/", server::handle);
        http.start();
        return server;
    }

    void stop() {
        server.stop(0);
    }

    private void handle(HttpExchange exchange) {
        try (exchange) {
            reply(exchange).send(exchange);
        } catch (IOException e) {
            // The client went away; there is nobody left to tell.
            System.err.println(exchange.getRequestMethod() + " " + exchange.getRequestURI().getPath() + ": " + e);
        }
    }

    private Reply reply(HttpExchange exchange) {
        try {
            refuseWebPages(exchange.getRequestHeaders());
            Reply reply = routes.call(exchange, authenticated(exchange), bodyLimit);
            engine.settle();
            return reply;
        } catch (Throwable e) {
            Problem problem = Problem.of(e);
            if (problem.status() == 500) {
                e.printStackTrace();
            }
            drain(exchange);
            return Reply.problem(problem);
        }
    }

    /**
     * A browser that knows the password would lend it to any page that asks this address, and a name
     * can be made to mean it. A tunnel that ends here has another port, so only the host counts.
     */
    private static void refuseWebPages(Headers headers) {
        String host = headers.getFirst("Host");
        String site = headers.getFirst("Sec-Fetch-Site");
        if (host == null || !OWN_HOST.matcher(host).matches()) {
            throw Problem.forbidden("This server answers to 127.0.0.1 only.");
        }
        if (headers.containsKey("Origin") || site != null && !site.equals("none")) {
            throw Problem.forbidden("This server does not answer to web pages.");
        }
    }

    private boolean authenticated(HttpExchange exchange) {
        String header = exchange.getRequestHeaders().getFirst("Authorization");
        return header != null
            && header.regionMatches(true, 0, "Basic ", 0, 6)
            && MessageDigest.isEqual(credentials, header.substring(6).strip().getBytes(StandardCharsets.UTF_8));
    }

    private static void drain(HttpExchange exchange) {
        byte[] buffer = new byte[64 << 10];
        try {
            InputStream body = exchange.getRequestBody();
            long read = 0;
            for (int got = 0; got >= 0 && read < DRAIN_LIMIT; read += got) {
                got = body.read(buffer);
            }
        } catch (IOException e) {
            exchange.getResponseHeaders().set("Connection", "close");
        }
    }
}
