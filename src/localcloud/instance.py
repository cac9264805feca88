"""The Kestra instance of the local cloud: what a virtual machine is in the real one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from localcloud import supervisor
from localcloud.layout import Layout, write_private
from localcloud.ports import HOST
from localcloud.record import Record
from localcloud.state import InstanceConfig
from localcloud.waiting import start_and_wait

_ALIVE = ("STARTING", "RUNNING", "BACKOFF")


def state_of_instance(record: Record, parts: dict[str, dict[str, Any]] | None) -> str | None:
    """RUNNING, TERMINATED, or None when there is none.

    `parts`: what the supervisor knows of each part; None when the local cloud does not run.
    """
    if record.instance is None:
        return None
    alive = parts is not None and parts["kestra"]["statename"] in _ALIVE
    return "RUNNING" if alive else "TERMINATED"


class Instance:
    """Its life, within a local cloud that runs and whose lock is held."""

    def __init__(self, layout: Layout, record: Record) -> None:
        """`record` is changed and saved here."""
        self._layout = layout
        self._record = record

    def start(self, config: InstanceConfig, cache: Path) -> str:
        """Start it, or start it anew when `config` is another one; give its URL."""
        text = self._configuration(config, cache)
        path = self._layout.kestra_config
        changed = not path.exists() or path.read_text(encoding="utf-8") != text
        if changed:
            supervisor.stop_part(self._layout, "kestra")
            write_private(path, text)
        self._layout.data("kestra").mkdir(exist_ok=True)
        self._remember("RUNNING")
        start_and_wait(self._layout, self._record.ports, ["kestra"])
        return f"http://{HOST}:{self._record.ports['kestra']}"

    def stop(self) -> None:
        """Stop it, and remember that this is wanted."""
        if self._record.instance is None:
            return
        supervisor.stop_part(self._layout, "kestra")
        self._remember("TERMINATED")

    def delete(self) -> None:
        """Stop it and remove what it kept."""
        supervisor.stop_part(self._layout, "kestra")
        self._remember(None)
        self._layout.kestra_config.unlink(missing_ok=True)
        shutil.rmtree(self._layout.data("kestra"), ignore_errors=True)

    def _remember(self, wanted: str | None) -> None:
        self._record.instance = wanted
        self._record.save(self._layout)

    def _configuration(self, config: InstanceConfig, cache: Path) -> str:
        programs = str(Path(sys.executable).parent)
        content = {
            "host": HOST,
            "port": self._record.ports["kestra"],
            "controller_port": self._record.ports["kestra-controller"],
            "data": str(self._layout.data("kestra")),
            "user": config.user,
            "password": config.password,
            "secrets": config.secrets,
            "environment": config.environment,
            "path": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
            "cache": str(cache),
            "log": str(self._layout.log("kestra")),
        }
        return json.dumps(content, indent=2, sort_keys=True) + "\n"
