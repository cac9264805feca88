package localcloud.kestra;

import io.kestra.core.models.HasUID;
import io.kestra.core.queues.KeyedDispatchQueueInterface;
import io.kestra.core.queues.QueueException;
import io.kestra.core.queues.event.Event;
import io.kestra.core.runners.WorkerJobEvent;
import io.kestra.core.runners.WorkerTask;
import io.kestra.core.runners.WorkerTaskResult;
import io.kestra.core.runners.WorkerTaskRunning;
import io.kestra.jdbc.runner.AbstractJdbcWorkerJobRunningStateStore;
import io.kestra.queue.QueueService;
import io.micronaut.context.ApplicationContext;
import io.micronaut.core.type.Argument;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Tasks that the engine before this one had given to its worker, and that never came back.
 *
 * <p>Kestra 2.0.0 gives such tasks out again when it has found their worker dead, up to 45 s after a
 * kill; and never when the worker ended in good order, though one that is stopping drops what it is
 * sent at that moment. Here every worker before this boot is dead, so that nothing need be waited
 * for. To be done before any service of the engine runs.
 */
final class Resubmission {
    private final AbstractJdbcWorkerJobRunningStateStore given;
    private final KeyedDispatchQueueInterface<WorkerJobEvent> jobs;
    private final QueueService queues;
    private final Connection database;

    @SuppressWarnings("unchecked")
    Resubmission(ApplicationContext context, Connection database) {
        given = context.getBean(AbstractJdbcWorkerJobRunningStateStore.class);
        jobs = context.getBean(Argument.of(KeyedDispatchQueueInterface.class, WorkerJobEvent.class));
        queues = context.getBean(QueueService.class);
        this.database = database;
    }

    /** Puts every such task into the queue of jobs, once; how many there were. */
    int run() throws SQLException, QueueException {
        // Killed between two steps, the engine left a task in both: it was given out but is in the
        // queue still, or its result had come already.
        Set<String> elsewhere = queued(WorkerJobEvent.class, event -> true);
        elsewhere.addAll(queued(WorkerTaskResult.class,
            result -> result.getTaskRun().getState().isTerminated()));
        int count = 0;
        for (var running : given.findAll()) {
            if (running instanceof WorkerTaskRunning task) {
                if (!elsewhere.contains(task.uid())) {
                    emit(task);
                    count++;
                }
                given.deleteByKey(task.uid());
            }
        }
        return count;
    }

    private void emit(WorkerTaskRunning task) throws QueueException {
        String queue = task.getWorkerInstance().workerQueueId();
        jobs.emit(queue, WorkerJobEvent.of(
            WorkerTask.builder()
                .taskRun(task.getTaskRun().onRunningResend())
                .task(task.getTask())
                .data(task.getData())
                .build(),
            queue));
    }

    private <T extends Event & HasUID> Set<String> queued(Class<T> type, Predicate<T> wanted)
        throws SQLException {
        Set<String> found = new HashSet<>();
        try (PreparedStatement select =
            database.prepareStatement("SELECT \"value\" FROM queues WHERE \"type\" = ?")) {
            select.setString(1, AtomicSteps.queueOf(type));
            ResultSet rows = select.executeQuery();
            while (rows.next()) {
                byte[] message = rows.getString(1).getBytes(StandardCharsets.UTF_8);
                var read = queues.deserialize(type, message);
                if (read.isLeft() && wanted.test(read.getLeft())) {
                    found.add(read.getLeft().uid());
                }
            }
        }
        return found;
    }
}
