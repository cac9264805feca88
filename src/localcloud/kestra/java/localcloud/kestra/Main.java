package localcloud.kestra;

/** Starts the engine and its REST face; standard input holds the {@link Settings}. */
final class Main {
    /** Exit code when the engine or the face does not start. */
    private static final int BOOT_FAILED = 3;
    /** Exit code when the database was not closed in good order; it is whole all the same. */
    private static final int STOP_FAILED = 4;

    private Main() {
    }

    public static void main(String[] arguments) {
        long begin = System.nanoTime();
        try {
            Settings settings = Settings.read(System.in);
            Engine engine = Engine.boot(settings);
            RestServer server = RestServer.start(settings, Routes.of(engine, settings), engine);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                server.stop();
                int code = 0;
                try {
                    engine.stop();
                } catch (Exception e) {
                    e.printStackTrace();
                    code = STOP_FAILED;
                }
                Runtime.getRuntime().halt(code);
            }, "stop"));
            System.err.printf("Kestra is ready on http://%s:%d after %d ms%n",
                settings.host(), settings.port(), (System.nanoTime() - begin) / 1_000_000);
        } catch (Throwable e) {
            e.printStackTrace();
            // Threads of a half-started engine are no daemons: they would keep the database locked.
            Runtime.getRuntime().halt(BOOT_FAILED);
        }
    }
}
