package localcloud.kestra;

import io.kestra.core.models.tasks.runners.AbstractLogConsumer;
import io.kestra.core.models.tasks.runners.TaskCommands;
import io.kestra.core.models.tasks.runners.TaskException;
import io.kestra.core.models.tasks.runners.TaskRunnerDetailResult;
import io.kestra.core.models.tasks.runners.TaskRunnerResult;
import io.kestra.core.runners.RunContext;
import io.kestra.core.utils.IdUtils;
import io.kestra.plugin.core.runner.Process;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * The Process runner with two differences: a task's end, whatever its cause, is the end of every
 * process that it started (the stock runner asks the descendants of the moment to stop and waits
 * for their output, so one that ignores the signal, or that moved to another parent, lives on); and
 * the engine's secrets are no part of a task's environment.
 */
final class LocalProcess extends Process {
    private static final String SECRET_PREFIX = "SECRET_";

    private final ProcessTree tree = new ProcessTree(IdUtils.create());

    LocalProcess() {
        this.type = Process.class.getName();
    }

    @Override
    public TaskRunnerResult<TaskRunnerDetailResult> run(
        RunContext runContext, TaskCommands commands, List<String> filesToDownload) throws Exception {
        java.lang.ProcessBuilder builder = new java.lang.ProcessBuilder(
            runContext.render(commands.getCommands()).asList(String.class))
            .directory(commands.getWorkingDirectory().toFile());
        environment(builder.environment(), env(runContext, commands));
        java.lang.Process process = builder.start();
        runContext.logger().debug("Started process {}", process.pid());
        AbstractLogConsumer log = commands.getLogConsumer();
        Thread out = pump(process.getInputStream(), log, false);
        Thread err = pump(process.getErrorStream(), log, true);
        boolean ended = false;
        try {
            int code = process.waitFor();
            // What it left behind would hold the pipes open.
            tree.end();
            ended = true;
            out.join();
            err.join();
            if (code != 0) {
                throw new TaskException(code, log);
            }
            return new TaskRunnerResult<>(code, log);
        } catch (InterruptedException e) {
            runContext.logger().warn("Stopping process {} and its children", process.pid());
            throw e;
        } finally {
            // The worker interrupts a task that is killed or late; the signals must go out first.
            boolean interrupted = Thread.interrupted();
            if (!ended) {
                tree.end();
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void environment(Map<String, String> environment, Map<String, String> ofTask) {
        environment.keySet().removeIf(name -> name.startsWith(SECRET_PREFIX));
        environment.putAll(ofTask);
        environment.put(ProcessTree.MARK, tree.id());
    }

    private static Thread pump(InputStream stream, AbstractLogConsumer log, boolean isError) {
        return Thread.startVirtualThread(() -> {
            try (BufferedReader reader =
                new BufferedReader(new java.io.InputStreamReader(stream, StandardCharsets.UTF_8))) {
                String line;
                while ((line = reader.readLine()) != null) {
                    log.accept(line, isError);
                }
            } catch (IOException | RuntimeException e) {
                // Whoever reads the task's log must see that lines are missing.
                log.accept("The output could not be read any further: " + e, true);
            }
        });
    }
}
