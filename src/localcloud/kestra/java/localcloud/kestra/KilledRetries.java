package localcloud.kestra;

import io.kestra.core.assets.AssetService;
import io.kestra.core.exceptions.InternalException;
import io.kestra.core.metrics.MetricRegistry;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.executions.ExecutionKilled;
import io.kestra.core.models.executions.LoopExecutionEvent;
import io.kestra.core.models.flows.State;
import io.kestra.core.queues.BroadcastQueueInterface;
import io.kestra.core.queues.DispatchQueueInterface;
import io.kestra.core.runners.ExecutionDelay;
import io.kestra.core.runners.FlowMetaStoreInterface;
import io.kestra.core.runners.RunContextFactory;
import io.kestra.core.runners.RunContextInitializer;
import io.kestra.core.runners.RunContextLoggerFactory;
import io.kestra.core.runners.WorkerTaskResult;
import io.kestra.core.services.ExecutionOutputService;
import io.kestra.core.services.ExecutionService;
import io.kestra.core.runners.PausedTaskNotifier;
import io.kestra.executor.SLAService;
import io.kestra.core.services.TaskOutputService;
import io.kestra.core.services.WorkerQueueService;
import io.kestra.core.utils.ListUtils;
import io.kestra.executor.ExecutionStateStore;
import io.kestra.executor.ExecutorContext;
import io.kestra.executor.ExecutorService;
import io.kestra.repository.h2.H2Repository;
import io.kestra.runner.h2.H2ExecutionDelayStateStore;
import io.micronaut.context.ApplicationContext;
import io.micronaut.context.RuntimeBeanDefinition;
import io.micronaut.core.type.Argument;
import io.micronaut.inject.qualifiers.Qualifiers;
import io.opentelemetry.api.OpenTelemetry;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Lets the kill of an execution that waits for a retry come to its end.
 *
 * <p>In Kestra 2.0.0 a task run that is RETRYING belongs to no worker, so that nobody answers the
 * kill: the execution stays KILLING and keeps its concurrency slot (upstream #19683, mended after
 * 2.0.0). And a retry that comes due would start the task of an execution that is KILLED.
 */
final class KilledRetries {
    private KilledRetries() {
    }

    /** Puts these parts in the place of the stock ones. Call it before the context starts. */
    static void register(ApplicationContext context) {
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(ExecutorService.class, () -> new Steps(context))
            .singleton(true)
            .replaces(ExecutorService.class)
            .build());
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(H2ExecutionDelayStateStore.class, () -> Delays.of(context))
            .singleton(true)
            .replaces(H2ExecutionDelayStateStore.class)
            .build());
    }

    /** The steps of executions; of one that is being killed, what waits for a retry ends first. */
    private static final class Steps extends ExecutorService {
        private final ExecutionService executions;

        @SuppressWarnings("unchecked")
        Steps(ApplicationContext context) {
            super(
                context.getBean(RunContextFactory.class),
                context.getBean(MetricRegistry.class),
                context.getBean(FlowMetaStoreInterface.class),
                context.getBean(ExecutionService.class),
                context.getBean(WorkerQueueService.class),
                context.getBean(SLAService.class),
                context.findBean(OpenTelemetry.class),
                context.getBean(Argument.of(BroadcastQueueInterface.class, ExecutionKilled.class)),
                context.getBean(Argument.of(DispatchQueueInterface.class, LoopExecutionEvent.class)),
                context.getBean(RunContextLoggerFactory.class),
                context.getBean(AssetService.class),
                context.getBean(RunContextInitializer.class),
                context.getBean(TaskOutputService.class),
                context.getBean(ExecutionOutputService.class),
                context.getBean(PausedTaskNotifier.class));
            executions = context.getBean(ExecutionService.class);
        }

        @Override
        public ExecutorContext process(ExecutorContext context) {
            if (context.canBeProcessed() && !executions.isTerminated(context.getFlow(), context.getExecution())) {
                try {
                    endRetries(context);
                } catch (InternalException e) {
                    return context.withException(e, "endRetries");
                }
            }
            return super.process(context);
        }

        private void endRetries(ExecutorContext context) throws InternalException {
            Execution execution = context.getExecution();
            if (execution.getState().getCurrent() == State.Type.KILLING) {
                List<WorkerTaskResult> ended = ListUtils.emptyOnNull(execution.getTaskRunList()).stream()
                    .filter(run -> run.getState().getCurrent() == State.Type.RETRYING)
                    .map(run -> new WorkerTaskResult(run.withState(State.Type.KILLED)))
                    .toList();
                addWorkerTaskResults(context, ended);
            }
        }
    }

    /** What is due later; a retry of an execution that has ended is forgotten. */
    private static final class Delays extends H2ExecutionDelayStateStore {
        private final ApplicationContext context;

        private Delays(H2Repository<ExecutionDelay> repository, ApplicationContext context) {
            super(repository);
            this.context = context;
        }

        @SuppressWarnings("unchecked")
        static Delays of(ApplicationContext context) {
            return new Delays(
                context.getBean(
                    Argument.of(H2Repository.class, ExecutionDelay.class),
                    Qualifiers.byName("executordelayed")),
                context);
        }

        @Override
        public void processExpired(Instant now, Consumer<ExecutionDelay> consumer) {
            super.processExpired(now, delay -> {
                if (delay.getDelayType() != ExecutionDelay.DelayType.RESTART_FAILED_TASK || !ended(delay)) {
                    consumer.accept(delay);
                }
            });
        }

        private boolean ended(ExecutionDelay delay) {
            return Optional.ofNullable(context.getBean(ExecutionStateStore.class).findById(delay.getExecutionId()))
                .map(execution -> execution.getState().isTerminated())
                .orElse(true);
        }
    }
}
