package localcloud.kestra;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.flows.Flow;
import io.kestra.core.repositories.ExecutionRepositoryInterface;
import io.kestra.core.repositories.FlowRepositoryInterface;
import io.kestra.core.services.ExecutionService;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;

/**
 * An execution's progress as server-sent events, until it ends or the client goes away.
 *
 * <p>Reads the database instead of the engine's own events: those are numbered when they are written
 * and seen when they are committed, so that a reader who has passed a number can miss the last one.
 */
final class Follower {
    private static final Duration PAUSE = Duration.ofMillis(200);
    /** A comment is written this often when nothing happens, to notice a client that left. */
    private static final Duration HEARTBEAT = Duration.ofSeconds(10);

    private final Engine engine;
    private final ExecutionRepositoryInterface executions;
    private final ExecutionService service;
    private final FlowRepositoryInterface flows;

    Follower(Engine engine) {
        this.engine = engine;
        executions = engine.bean(ExecutionRepositoryInterface.class);
        service = engine.bean(ExecutionService.class);
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
                stream(out, execution, flow);
            }
        };
    }

    private void stream(OutputStream out, Execution followed, Flow flow) throws IOException {
        ObjectNode told = null;
        long spoken = System.nanoTime();
        for (Execution now = followed; now != null; now = next(now)) {
            ObjectNode state = Executions.whole(now);
            boolean ended = service.isTerminated(flow, now);
            if (ended || !state.equals(told)) {
                engine.settle();
                write(out, event(ended ? "end" : "progress", state));
                told = state;
                spoken = System.nanoTime();
            } else if (System.nanoTime() - spoken > HEARTBEAT.toNanos()) {
                write(out, ": still there\n\n");
                spoken = System.nanoTime();
            }
            if (ended) {
                return;
            }
        }
    }

    /** The execution a moment later; null when it was deleted meanwhile. */
    private Execution next(Execution execution) throws IOException {
        try {
            Thread.sleep(PAUSE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("the server stops");
        }
        return executions.findById(Engine.TENANT, execution.getId()).orElse(null);
    }

    private static String event(String id, Object data) throws IOException {
        return "id: " + id + "\ndata: " + Reply.JSON.writeValueAsString(data) + "\n\n";
    }

    private static void write(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
        out.flush();
    }
}
