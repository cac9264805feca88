package io.kestra.plugin.scripts.python;

import io.kestra.core.models.annotations.Plugin;
import java.util.Map;
import localcloud.kestra.LocalCommands;

/** Commands of a Python environment: the machine's own, since there are no containers. */
@Plugin
public class Commands extends LocalCommands {
    /** Among them: a line that a script prints is in the log at once, not when the script ends. */
    private static final Map<String, String> ENVIRONMENT = Map.of(
        "PYTHONUNBUFFERED", "true",
        "PIP_ROOT_USER_ACTION", "ignore",
        "PIP_DISABLE_PIP_VERSION_CHECK", "1");

    public Commands() {
        super("python:3.13-slim");
    }

    @Override
    protected Map<String, String> ownEnvironment() {
        return ENVIRONMENT;
    }
}
