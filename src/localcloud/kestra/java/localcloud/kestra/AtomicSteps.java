package localcloud.kestra;

import com.google.common.base.CaseFormat;
import com.google.common.util.concurrent.MoreExecutors;
import io.kestra.core.executor.command.ExecutionCommand;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.executions.LoopExecutionEvent;
import io.kestra.core.queues.QueueException;
import io.kestra.core.queues.event.Event;
import io.kestra.core.runners.ExecutionEvent;
import io.kestra.core.runners.MultipleConditionEvent;
import io.kestra.core.runners.SubflowExecutionEnd;
import io.kestra.core.runners.SubflowExecutionResult;
import io.kestra.core.runners.WorkerTaskResult;
import io.kestra.core.utils.ExecutorsUtils;
import io.kestra.jdbc.AbstractJdbcRepository;
import io.kestra.jdbc.JdbcQueueItem;
import io.kestra.jdbc.JooqDSLContextWrapper;
import io.kestra.jdbc.runner.JdbcQueueConfiguration;
import io.kestra.queue.jdbc.client.JdbcQueueClient;
import io.micronaut.context.ApplicationContext;
import io.micronaut.context.RuntimeBeanDefinition;
import io.micronaut.context.event.BeanCreatedEvent;
import io.micronaut.context.event.BeanCreatedEventListener;
import io.micronaut.core.type.Argument;
import io.micronaut.inject.qualifiers.Qualifiers;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.sql.DataSource;
import org.apache.commons.lang3.tuple.Pair;
import org.jooq.DSLContext;
import org.jooq.TransactionalCallable;
import org.jooq.TransactionalRunnable;

/**
 * Makes each step of an execution one transaction: a message is taken off its queue, the execution's
 * new state is saved and what follows from it is put into other queues, all of it or nothing.
 *
 * <p>Kestra 2.0.0 handles two of its queues in threads of their own, outside the transaction that
 * takes the messages, and commits state and messages one after the other. An engine that is killed
 * in between knows the new state and has forgotten what follows: the execution waits for ever.
 */
final class AtomicSteps {
    /** The queues of the executor. */
    private static final Set<String> QUEUES = Stream.of(
            Execution.class, ExecutionEvent.class, ExecutionCommand.class, WorkerTaskResult.class,
            SubflowExecutionResult.class, SubflowExecutionEnd.class, LoopExecutionEvent.class,
            MultipleConditionEvent.class)
        .map(AtomicSteps::queueOf)
        .collect(Collectors.toUnmodifiableSet());

    /** The executor's own threads, by the names that it gives them. */
    private static final Set<String> THREADS =
        Set.of("executor-worker-task-result-executor", "executor-execution-event-executor");

    private AtomicSteps() {
    }

    /** Puts these parts in the place of the stock ones. Call it before the context starts. */
    static void register(ApplicationContext context, Bells bells) {
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(JooqDSLContextWrapper.class, () -> Transactions.of(context, bells))
            .singleton(true)
            .replaces(JooqDSLContextWrapper.class)
            .build());
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(JdbcQueueClient.class, () -> Queues.of(context, bells))
            .singleton(true)
            .replaces(JdbcQueueClient.class)
            .build());
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(
                Argument.of(BeanCreatedEventListener.class, ExecutorsUtils.class),
                () -> (BeanCreatedEventListener<ExecutorsUtils>) Threads::instead)
            .singleton(true)
            .build());
    }

    /** The name of the queue of one kind of message. */
    static String queueOf(Class<? extends Event> message) {
        return CaseFormat.UPPER_CAMEL.to(CaseFormat.LOWER_UNDERSCORE, message.getSimpleName());
    }

    /** Lets the bells of what a transaction puts into queues ring when it is committed. */
    private static final class Transactions extends JooqDSLContextWrapper {
        private final Bells bells;

        private Transactions(DSLContext database, DataSource source, Bells bells) {
            super(database, source);
            this.bells = bells;
        }

        static Transactions of(ApplicationContext context, Bells bells) {
            return new Transactions(
                context.getBean(DSLContext.class), context.getBean(DataSource.class), bells);
        }

        @Override
        public void transaction(TransactionalRunnable steps) {
            bells.after(() -> {
                super.transaction(steps);
                return null;
            });
        }

        @Override
        public <T> T transactionResult(TransactionalCallable<T> steps) {
            return bells.after(() -> super.transactionResult(steps));
        }

        @Override
        public void requireNewTransaction(TransactionalRunnable steps) {
            bells.after(() -> {
                super.requireNewTransaction(steps);
                return null;
            });
        }
    }

    /**
     * Takes one message in a transaction: with several, each would hold the locks of its execution
     * until the last is done.
     */
    private static final class Queues extends JdbcQueueClient {
        private final JdbcQueueClient single;
        private final Bells bells;

        private Queues(
            AbstractJdbcRepository<JdbcQueueItem> messages,
            JooqDSLContextWrapper database,
            JdbcQueueConfiguration configuration,
            Bells bells) {
            super(messages, database, configuration);
            this.bells = bells;
            single = new JdbcQueueClient(messages, database, new JdbcQueueConfiguration(
                configuration.minPollInterval(), configuration.maxPollInterval(),
                configuration.pollSwitchInterval(), 1, configuration.switchSteps(),
                configuration.immediateRepoll()));
        }

        @SuppressWarnings("unchecked")
        static Queues of(ApplicationContext context, Bells bells) {
            return new Queues(
                context.getBean(
                    Argument.of(AbstractJdbcRepository.class, JdbcQueueItem.class),
                    Qualifiers.byName("queues")),
                context.getBean(JooqDSLContextWrapper.class),
                context.getBean(JdbcQueueConfiguration.class),
                bells);
        }

        @Override
        public Integer subscribeDispatch(String queue, List<String> keys, Consumer<byte[]> consumer) {
            return awaited(queue, QUEUES.contains(queue)
                ? () -> oneByOne(() -> single.subscribeDispatch(queue, keys, consumer))
                : () -> super.subscribeDispatch(queue, keys, consumer));
        }

        @Override
        public Integer subscribeDispatchBatch(
            String queue, List<String> keys, Consumer<List<byte[]>> consumer) {
            return awaited(queue, QUEUES.contains(queue)
                ? () -> oneByOne(() -> single.subscribeDispatchBatch(queue, keys, consumer))
                : () -> super.subscribeDispatchBatch(queue, keys, consumer));
        }

        @Override
        public void publish(String queue, String routingKey, String key, String value) throws QueueException {
            super.publish(queue, routingKey, key, value);
            bells.ring(queue);
        }

        @Override
        public void publish(List<PublishedMessage> messages) throws QueueException {
            super.publish(messages);
            messages.forEach(message -> bells.ring(message.queue()));
        }

        /** How many messages were read; when there was none, after a sleep and a second look. */
        private int awaited(String queue, IntSupplier next) {
            long heard = bells.rings(queue);
            int count = next.getAsInt();
            return count == 0 && bells.sleep(queue, heard) ? next.getAsInt() : count;
        }

        @Override
        protected Pair<Integer, Long> subscribeBroadcast(String queue, Long after, Consumer<byte[]> consumer) {
            return rested(queue, super.subscribeBroadcast(queue, after, consumer));
        }

        @Override
        public Pair<Integer, Long> subscribeBroadcastBatch(
            String queue, Long after, Consumer<List<byte[]>> consumer) {
            return rested(queue, super.subscribeBroadcastBatch(queue, after, consumer));
        }

        private Pair<Integer, Long> rested(String queue, Pair<Integer, Long> read) {
            if (read.getLeft() == 0) {
                bells.rest(queue);
            }
            return read;
        }

        private int oneByOne(IntSupplier next) {
            int count = 0;
            while (count < getConfiguration().pollSize() && next.getAsInt() > 0) {
                count++;
            }
            return count;
        }
    }

    /** Lets the executor work in the thread that holds the transaction. */
    private static final class Threads extends ExecutorsUtils {
        private final ExecutorsUtils stock;

        private Threads(ExecutorsUtils stock) {
            this.stock = stock;
        }

        static ExecutorsUtils instead(BeanCreatedEvent<ExecutorsUtils> event) {
            return new Threads(event.getBean());
        }

        @Override
        public ExecutorService maxCachedThreadPool(int most, String name) {
            return THREADS.contains(name)
                ? MoreExecutors.newDirectExecutorService()
                : stock.maxCachedThreadPool(most, name);
        }

        @Override
        public int getAllocatedCpuCores() {
            return stock.getAllocatedCpuCores();
        }

        @Override
        public ExecutorService cachedThreadPool(String name) {
            return stock.cachedThreadPool(name);
        }

        @Override
        public ExecutorService cachedVirtualThreadPool(String name) {
            return stock.cachedVirtualThreadPool(name);
        }

        @Override
        public ExecutorService maxCachedVirtualThreadPool(int most, String name) {
            return stock.maxCachedVirtualThreadPool(most, name);
        }

        @Override
        public ExecutorService singleThreadExecutor(String name) {
            return stock.singleThreadExecutor(name);
        }

        @Override
        public ExecutorService singleThreadScheduledExecutor(String name) {
            return stock.singleThreadScheduledExecutor(name);
        }
    }
}
