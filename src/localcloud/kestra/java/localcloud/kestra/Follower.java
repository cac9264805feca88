package localcloud.kestra;

import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.flows.Flow;
import io.kestra.core.repositories.FlowRepositoryInterface;
import io.kestra.core.services.ExecutionStreamingService;
import io.kestra.core.utils.IdUtils;
import io.micronaut.http.sse.Event;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import reactor.core.publisher.Flux;

/** An execution's progress as server-sent events, until it ends or the client goes away. */
final class Follower {
    /** A comment is written this often when nothing happens, to notice a client that left. */
    private static final Duration HEARTBEAT = Duration.ofSeconds(10);

    private final ExecutionStreamingService streaming;
    private final FlowRepositoryInterface flows;

    Follower(Engine engine) {
        streaming = engine.bean(ExecutionStreamingService.class);
        flows = engine.bean(FlowRepositoryInterface.class);
    }

    Reply follow(Execution execution) {
        Flow flow = flows.findByExecution(execution);
        return exchange -> {
            exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
            exchange.getResponseHeaders().set("Cache-Control", "no-cache");
            exchange.sendResponseHeaders(200, 0);
            try (OutputStream out = exchange.getResponseBody()) {
                write(out, event("start", Map.of("id", execution.getId())));
                write(out, event("progress", Executions.full(execution)));
                stream(execution, flow).toStream(1).forEach(text -> write(out, text));
            } catch (UncheckedIOException e) {
                throw e.getCause();
            }
        };
    }

    private Flux<String> stream(Execution execution, Flow flow) {
        String subscriber = IdUtils.create();
        Flux<String> progress = Flux
            .<Event<Execution>>create(sink ->
                streaming.registerSubscriber(execution.getId(), subscriber, sink, flow))
            .doFinally(signal -> streaming.unregisterSubscriber(execution.getId(), subscriber))
            .map(event -> event(event.getId(), Executions.full(event.getData())))
            .publish(shared -> Flux.merge(
                shared,
                Flux.interval(HEARTBEAT).map(tick -> ": still there\n\n").takeUntilOther(shared.ignoreElements())));
        return progress;
    }

    private static String event(String id, Object data) {
        try {
            return "id: " + id + "\ndata: " + Reply.JSON.writeValueAsString(data) + "\n\n";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void write(OutputStream out, String text) {
        try {
            out.write(text.getBytes(StandardCharsets.UTF_8));
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
