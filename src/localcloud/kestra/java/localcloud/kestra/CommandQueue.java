package localcloud.kestra;

import io.kestra.core.async.AsyncOperationProcessedEvent;
import io.kestra.core.executor.command.ExecutionCommand;
import io.kestra.core.queues.DispatchQueueInterface;
import io.kestra.core.queues.QueueException;
import io.kestra.core.services.AsyncOperationWaiter;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/** Gives a command to the executor and returns when it has been carried out. */
final class CommandQueue {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final AsyncOperationWaiter waiter;
    private final DispatchQueueInterface<ExecutionCommand> queue;

    CommandQueue(Engine engine) {
        waiter = engine.bean(AsyncOperationWaiter.class);
        queue = engine.commands(ExecutionCommand.class);
    }

    /**
     * Runs a command of one execution.
     *
     * @param command makes the command that carries the given operation id
     * @throws Problem 409 when the executor refuses it
     */
    void run(String executionId, Function<String, ? extends ExecutionCommand> command) throws TimeoutException {
        AsyncOperationProcessedEvent done = waiter.submitAndWait(executionId, operation -> {
            try {
                queue.emit(command.apply(operation));
            } catch (QueueException e) {
                throw new IllegalStateException(e);
            }
        }, TIMEOUT);
        refused(done);
    }

    static void refused(AsyncOperationProcessedEvent done) {
        if (done != null && done.outcome() == AsyncOperationProcessedEvent.Outcome.FAILED) {
            throw Problem.conflict(done.error() == null ? "The engine refused it." : done.error());
        }
    }
}
