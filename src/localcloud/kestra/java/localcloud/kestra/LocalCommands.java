package localcloud.kestra;

import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.RunnableTask;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.core.runner.Process;
import io.kestra.plugin.scripts.exec.AbstractExecScript;
import io.kestra.plugin.scripts.exec.scripts.models.ScriptOutput;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Shell commands run as processes of this machine; what the real script plugins' `Commands` tasks
 * do on the Process runner. Their properties, defaults and outputs are {@link AbstractExecScript}'s.
 */
public abstract class LocalCommands extends AbstractExecScript implements RunnableTask<ScriptOutput> {
    private static final String PROCESS = Process.class.getName();

    private Property<List<String>> commands;

    private Property<String> containerImage;

    protected LocalCommands(String defaultImage) {
        containerImage = Property.ofValue(defaultImage);
    }

    public Property<List<String>> getCommands() {
        return commands;
    }

    @Override
    public Property<String> getContainerImage() {
        return containerImage;
    }

    /** Variables that the real task sets whatever its `env` says. */
    protected Map<String, String> ownEnvironment() {
        return Map.of();
    }

    /** What this definition asks for and this engine does not have, a sentence each. */
    List<String> unsupported() {
        List<String> found = new ArrayList<>();
        if (commands == null) {
            found.add("commands: must not be null");
        }
        if (runner != null) {
            found.add("runner: is not supported here, use `taskRunner: {type: " + PROCESS + "}`");
        } else if (!(taskRunner instanceof Process)) {
            String type = taskRunner == null ? "null" : taskRunner.getType();
            found.add("taskRunner: this engine runs no containers and has no " + type
                + " (Docker's is the default when taskRunner is left out), write `taskRunner: {type: "
                + PROCESS + "}`");
        }
        return found;
    }

    @Override
    public ScriptOutput run(RunContext runContext) throws Exception {
        List<String> unsupported = unsupported();
        if (!unsupported.isEmpty()) {
            throw new IllegalArgumentException(String.join("; ", unsupported));
        }
        return commands(runContext)
            .addEnv(ownEnvironment())
            .withTaskRunner(new LocalProcess())
            .withInterpreter(interpreter)
            .withBeforeCommands(beforeCommands)
            .withBeforeCommandsWithOptions(true)
            .withCommands(commands)
            .run();
    }
}
