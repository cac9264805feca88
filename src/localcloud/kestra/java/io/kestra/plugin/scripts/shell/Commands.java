package io.kestra.plugin.scripts.shell;

import io.kestra.core.models.annotations.Plugin;
import localcloud.kestra.LocalCommands;

/** Shell commands. */
@Plugin
public class Commands extends LocalCommands {
    public Commands() {
        super("ubuntu");
    }
}
