package localcloud.kestra;

import io.kestra.core.queues.BroadcastQueueInterface;
import io.kestra.core.queues.DispatchQueueInterface;
import io.kestra.core.queues.QueueException;
import io.kestra.core.queues.event.BroadcastEvent;
import io.kestra.core.queues.event.DispatchEvent;
import io.kestra.core.runners.Executor;
import io.kestra.core.runners.Indexer;
import io.kestra.core.runners.Scheduler;
import io.kestra.core.runners.Worker;
import io.kestra.core.server.Service;
import io.kestra.core.worker.Controller;
import io.kestra.worker.systemworker.SystemWorker;
import io.micronaut.context.ApplicationContext;
import io.micronaut.core.type.Argument;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.h2.engine.SessionLocal;
import org.h2.jdbc.JdbcConnection;
import org.h2.mvstore.MVStore;

/** The real Kestra engine in this JVM: its application context and the services that run in it. */
final class Engine {
    /** The one tenant of an open-source server. */
    static final String TENANT = "main";

    private static final String DATABASE_USER = "sa";
    /**
     * The worker, which must tell the database which tasks it leaves, is done after its grace
     * period. The executor closes its queues one by one; what it has not finished then it does after
     * the next start.
     */
    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(3);
    private static final Duration START_TIMEOUT = Duration.ofSeconds(90);

    /** How late a commit may be in the database's file. */
    private static final Duration LATEST_WRITE = Duration.ofMillis(100);

    /** Of a message between the engine's parts, and so of all inputs or outputs together, in bytes. */
    private static final int LARGEST_MESSAGE = 1 << 20;

    private final ApplicationContext context;
    private final Bells bells;
    private final Path data;
    /** The file below the database's tables. */
    private final MVStore store;
    private final List<Service> services = new ArrayList<>();

    private Engine(ApplicationContext context, Bells bells, Path data) throws SQLException {
        this.context = context;
        this.bells = bells;
        this.data = data;
        try (Connection connection = connect()) {
            SessionLocal session = (SessionLocal) connection.unwrap(JdbcConnection.class).getSession();
            store = session.getDatabase().getStore().getMvStore();
        }
    }

    /** Boots the engine and returns when every service reports that it runs. */
    static Engine boot(Settings settings)
        throws IOException, InterruptedException, SQLException, QueueException {
        rollBackTorn(settings.data());
        ApplicationContext context = ApplicationContext.builder(Engine.class)
            .properties(properties(settings))
            .banner(false)
            .deduceEnvironment(false)
            .bootstrapEnvironment(false)
            .environments("localcloud")
            .build();
        LoopbackController.register(context, settings.host());
        ScriptRules.register(context);
        Bells bells = new Bells();
        AtomicSteps.register(context, bells);
        KilledRetries.register(context);
        NoCalls.register(context);
        context.start();
        Engine engine = new Engine(context, bells, settings.data());
        if (settings.template() != null) {
            engine.copyDatabase(settings.template());
        }
        engine.resubmit();
        engine.startServices(settings.workers());
        return engine;
    }

    /**
     * Ends the transactions that a killed engine left open, in a session of their own: H2 (2.4.240)
     * reads a torn transaction before it knows the tables, and as long as that database stays open
     * it then takes the tables' enum columns for numbers, and each search by state fails.
     */
    private static void rollBackTorn(Path data) throws SQLException {
        Path file = data.resolve("db.mv.db");
        if (Files.exists(file) && isTorn(file)) {
            connect(data).close();
        }
    }

    /** Whether the undo log of a transaction is in the file. Opening the tables takes ten times as long. */
    private static boolean isTorn(Path file) {
        try (MVStore store = new MVStore.Builder().fileName(file.toString()).readOnly().open()) {
            return store.getMapNames().stream().anyMatch(name -> name.startsWith("undoLog") && store.hasData(name));
        }
    }

    /** A copy of the database as its migrations have left it: who starts from it needs none of them. */
    private void copyDatabase(Path target) throws SQLException {
        try (Connection connection = connect();
            PreparedStatement statement = connection.prepareStatement("BACKUP TO ?")) {
            statement.setString(1, target.toString());
            statement.execute();
        }
    }

    private void resubmit() throws SQLException, QueueException {
        try (Connection connection = connect()) {
            int count = new Resubmission(context, connection).run();
            if (count > 0) {
                System.err.println("Tasks given out again after the last stop: " + count);
            }
        }
    }

    /**
     * One after the other: threads that load the same classes of the archive at the same moment have
     * crashed the Java runtime (25.0.2), and one that waits for another gains no time.
     */
    private void startServices(int workers) throws InterruptedException {
        Controller controller = bean(Controller.class);
        start("controller", controller, controller::start);
        Worker worker = bean(Worker.class);
        start("worker", worker, () -> worker.start(workers));
        // Purges are tasks of this one: without it they wait for ever.
        SystemWorker systemWorker = bean(SystemWorker.class);
        start("system worker", systemWorker, () -> systemWorker.start(1));
        Executor executor = bean(Executor.class);
        start("executor", executor, executor);
        Scheduler scheduler = bean(Scheduler.class);
        start("scheduler", scheduler, scheduler);
        Indexer indexer = bean(Indexer.class);
        start("indexer", indexer, indexer);
    }

    /** Starts a service in a thread of its own and returns when it runs. */
    private void start(String name, Service service, Runnable body) throws InterruptedException {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        services.add(service);
        Thread.ofPlatform().daemon().name(name)
            .uncaughtExceptionHandler((thread, error) -> failure.set(error))
            .start(body);
        long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
        while (service.getState() != Service.ServiceState.RUNNING) {
            if (failure.get() != null) {
                throw new IllegalStateException("the " + name + " did not start", failure.get());
            }
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("the " + name + " did not start in "
                    + START_TIMEOUT.toSeconds() + " s, it is " + service.getState());
            }
            Thread.sleep(10);
        }
    }

    /**
     * Stops the services and closes the database. What is left are threads without work; end the
     * JVM now: closing the whole context would take as long again.
     */
    void stop() throws InterruptedException, SQLException {
        bells.end();
        // Each waits a second or two for its own threads: one after the other that is a long time.
        List<Thread> closing = services.stream()
            .filter(service -> !(service instanceof Controller))
            .map(service -> Thread.ofPlatform().daemon().start(() -> close(service)))
            .toList();
        long deadline = System.nanoTime() + STOP_TIMEOUT.toNanos();
        for (Thread thread : closing) {
            thread.join(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
        }
        try (Connection connection = connect();
            Statement statement = connection.createStatement()) {
            statement.execute("SHUTDOWN");
        }
    }

    /**
     * Returns when everything that can be read is written: what was answered for must outlive a kill.
     * Commits are in the file a little later than they are seen, in their order: a killed engine is
     * where it was a moment before, as if it had been killed then.
     */
    void settle() {
        boolean written = store.commit() >= 0;
        if (!written) {
            // Nothing is left to write, but threads of the store may still be writing it.
            store.executeFilestoreOperation(() -> { });
        }
    }

    private Connection connect() throws SQLException {
        return connect(data);
    }

    private static Connection connect(Path data) throws SQLException {
        return DriverManager.getConnection(databaseUrl(data), DATABASE_USER, "");
    }

    private static void close(Service service) {
        try {
            service.close();
        } catch (Exception e) {
            System.err.println(service.getType() + " did not close: " + e);
        }
    }

    /** Rings of the queues of events and commands. */
    Bells bells() {
        return bells;
    }

    <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    @SuppressWarnings("unchecked")
    <T extends DispatchEvent> DispatchQueueInterface<T> commands(Class<T> event) {
        return context.getBean(Argument.of(DispatchQueueInterface.class, event));
    }

    @SuppressWarnings("unchecked")
    <T extends BroadcastEvent> BroadcastQueueInterface<T> broadcast(Class<T> event) {
        return context.getBean(Argument.of(BroadcastQueueInterface.class, event));
    }

    private static Map<String, Object> properties(Settings settings) throws IOException {
        Path data = settings.data();
        emptied(settings.uploads());
        Map<String, Object> p = new LinkedHashMap<>();
        p.put("kestra.server-type", "STANDALONE");
        p.put("kestra.repository.type", "h2");
        p.put("kestra.queue.type", "h2");
        p.put("datasources.h2.url", databaseUrl(data));
        p.put("datasources.h2.username", DATABASE_USER);
        p.put("datasources.h2.password", "");
        p.put("datasources.h2.driver-class-name", "org.h2.Driver");
        p.put("kestra.storage.type", "local");
        p.put("kestra.storage.local.base-path", folder(data, "storage"));
        p.put("kestra.tasks.tmp-dir.path", emptied(data.resolve("tasks")));
        p.put("kestra.encryption.secret-key", settings.encryptionKey());
        p.put("kestra.url", "http://" + settings.host() + ":" + settings.port() + "/");
        p.put("kestra.controller.port", settings.controllerPort());
        p.put("kestra.worker.controllers.type", "STATIC");
        p.put("kestra.worker.controllers.static.endpoints",
            List.of(Map.of("host", settings.host(), "port", settings.controllerPort())));
        p.put("kestra.variables.env-vars-prefix", "ENV_");
        p.put("kestra.variables.cache-enabled", true);
        p.put("kestra.variables.cache-size", 1000);
        p.put("kestra.anonymous-usage-report.enabled", false);
        p.put("kestra.plugins.auto-install.enabled", false);
        // Nobody reads these, and they switch on the JVM's flight recorder.
        p.put("micronaut.metrics.binders.jvm.enabled", false);
        p.put("kestra.metrics.prefix", "kestra");
        p.put("kestra.server.termination-grace-period", "2s");
        // Boot fails without the first two.
        p.put("kestra.server.service.purge.initial-delay", "1h");
        p.put("kestra.server.service.purge.fixed-delay", "1d");
        p.put("kestra.server.service.purge.retention", "30d");
        // Who finds a queue empty sleeps in AtomicSteps, until something is put into it.
        p.put("kestra.jdbc.queues.min-poll-interval", "1ms");
        p.put("kestra.jdbc.queues.max-poll-interval", "1ms");
        // On by default on a full server, off in the engine's class.
        p.put("kestra.queue.message-protection.enabled", true);
        p.put("kestra.queue.message-protection.limit", LARGEST_MESSAGE);
        p.put("kestra.plugins.configurations", List.of(Map.of(
            "type", "io.kestra.plugin.core.flow.Subflow",
            "values", Map.of("outputs", Map.of("enabled", true)))));
        p.put("endpoints.all.enabled", false);
        // A client bean of the engine wants an address; nothing here calls it.
        p.put("micronaut.http.services.api.url", "http://127.0.0.1:9");
        return p;
    }

    private static String databaseUrl(Path data) {
        return "jdbc:h2:file:" + data.resolve("db")
            + ";TIME ZONE=UTC;DB_CLOSE_ON_EXIT=FALSE;CASE_INSENSITIVE_IDENTIFIERS=TRUE;LOCK_TIMEOUT=30000"
            // One write for the commits of so many milliseconds, which else are forty kilobytes each:
            // two fifths of all that the engine does. What is told to anybody is settled first.
            + ";WRITE_DELAY=" + LATEST_WRITE.toMillis()
            // What the file has no use for any more is written over after two seconds, not 45.
            + ";RETENTION_TIME=2000";
    }

    private static String folder(Path data, String name) throws IOException {
        return Files.createDirectories(data.resolve(name)).toString();
    }

    /** A folder without what a killed engine left in it: a task that runs again gets a new one. */
    private static String emptied(Path folder) throws IOException {
        Files.createDirectories(folder);
        try (Stream<Path> content = Files.walk(folder)) {
            for (Path path : content.sorted(Comparator.reverseOrder()).toList()) {
                if (!path.equals(folder)) {
                    Files.delete(path);
                }
            }
        } catch (IOException | UncheckedIOException e) {
            System.err.println("What the last engine left in " + folder + " can't be removed: " + e);
        }
        return folder.toString();
    }
}
