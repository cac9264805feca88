package localcloud.kestra;

import io.kestra.core.async.AsyncOperationProcessedEvent;
import io.kestra.core.executor.command.ExecutionCommand;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.queues.DispatchQueueInterface;
import io.kestra.core.queues.MessageTooBigException;
import io.kestra.core.queues.QueueException;
import io.kestra.core.repositories.ExecutionRepositoryInterface;
import io.kestra.core.runners.ExecutionEvent;
import io.kestra.core.services.AsyncOperationWaiter;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/** Gives a command to the executor and returns when it has been carried out. */
final class CommandQueue {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);
    private static final Duration LOOK = Duration.ofMillis(20);
    /** The queue that a step puts something into when it has made an execution. */
    private static final String CHANGES = AtomicSteps.queueOf(ExecutionEvent.class);

    private final Engine engine;
    private final AsyncOperationWaiter waiter;
    private final DispatchQueueInterface<ExecutionCommand> queue;
    private final ExecutionRepositoryInterface repository;

    CommandQueue(Engine engine) {
        this.engine = engine;
        waiter = engine.bean(AsyncOperationWaiter.class);
        queue = engine.commands(ExecutionCommand.class);
        repository = engine.bean(ExecutionRepositoryInterface.class);
    }

    /**
     * Runs a command of one execution.
     *
     * @param command makes the command that carries the given operation id
     * @throws Problem 409 when the executor refuses it
     */
    void run(String executionId, Function<String, ? extends ExecutionCommand> command) throws TimeoutException {
        refused(waiter.submitAndWait(executionId, operation -> emit(command.apply(operation)), TIMEOUT));
    }

    /**
     * Runs a command that makes an execution, which shows before the executor's answer comes round.
     *
     * @return the new execution
     */
    Execution make(String executionId, Function<String, ? extends ExecutionCommand> command)
        throws InterruptedException, TimeoutException {
        CompletableFuture<AsyncOperationProcessedEvent> answer = waiter
            .submit(executionId, operation -> emit(command.apply(operation)), TIMEOUT)
            .toFuture();
        try {
            while (true) {
                long heard = engine.bells().rings(CHANGES);
                boolean answered = answer.isDone();
                Optional<Execution> made = repository.findById(Engine.TENANT, executionId);
                if (made.isPresent()) {
                    return made.get();
                }
                if (answered) {
                    refused(answer.get());
                    throw Problem.conflict("The engine made no new execution.");
                }
                engine.bells().sleep(CHANGES, heard, LOOK);
                if (Thread.interrupted()) {
                    throw new InterruptedException("the server stops");
                }
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof TimeoutException timeout) {
                throw timeout;
            }
            throw new CompletionException(e.getCause());
        } finally {
            answer.cancel(true);
        }
    }

    private void emit(ExecutionCommand command) {
        try {
            queue.emit(command);
        } catch (MessageTooBigException e) {
            throw Problem.tooBig(e.getMessage());
        } catch (QueueException e) {
            throw new IllegalStateException(e);
        }
    }

    static void refused(AsyncOperationProcessedEvent done) {
        if (done != null && done.outcome() == AsyncOperationProcessedEvent.Outcome.FAILED) {
            throw Problem.conflict(done.error() == null ? "The engine refused it." : done.error());
        }
    }
}
