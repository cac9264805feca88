package io.kestra.plugin.scripts.python;

import io.kestra.core.models.annotations.Plugin;
import localcloud.kestra.LocalCommands;

/** Commands of a Python environment: the machine's own, since there are no containers. */
@Plugin
public class Commands extends LocalCommands {
    public Commands() {
        super("python:3.13-slim");
    }
}
