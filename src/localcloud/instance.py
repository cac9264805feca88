"""The Kestra instance of the local cloud: what a virtual machine is in the real one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcloud import compose, gate, kestra, supervisor
from localcloud.errors import CloudError
from localcloud.layout import Layout, write_private
from localcloud.ports import HOST
from localcloud.record import Record
from localcloud.state import InstanceConfig
from localcloud.waiting import start_and_wait

EMULATOR_KEY = "EMULATOR_KEY"
"""The secret by which flows reach storage and warehouse: `secret('EMULATOR_KEY')`."""
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
    """Its life, within a local cloud whose lock is held.

    It is the embedded engine or a server in containers; which one, is said by `record.compose`
    when it is started with a new configuration, and by that configuration from then on.
    """

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
            self.take_down()
            write_private(path, text)
        self._layout.data("kestra").mkdir(exist_ok=True)
        self._remember("RUNNING")
        self.prepare(changed=changed)
        start_and_wait(self._layout, self._record.ports, ["kestra"])
        return f"http://{HOST}:{self._record.ports['kestra']}"

    def stop(self) -> None:
        """Stop it, and remember that this is wanted."""
        if self._record.instance is None:
            return
        supervisor.stop_part(self._layout, "kestra")
        self.take_down()
        self._remember("TERMINATED")

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[Path]:
        """While it is stopped: its data, to be copied or replaced. It is started again after that.

        Raises CloudError when there is none, or when it is a server in containers.
        """
        if self._record.instance is None:
            raise CloudError("there is no Kestra instance", hint="invoke up")
        if self.in_containers:
            raise CloudError(
                "the data of a Kestra in containers are in Docker's volumes, which this does not "
                "reach",
                hint="`docker run --volumes-from` copies them; the embedded engine's can be kept.",
            )
        ran = self._record.instance == "RUNNING"
        supervisor.stop_part(self._layout, "kestra")
        try:
            yield self._layout.data("kestra")
        finally:
            if ran:
                self.prepare()
                start_and_wait(self._layout, self._record.ports, ["kestra"])

    def delete(self) -> None:
        """Stop it and remove what it kept."""
        # Containers are taken down by Docker; the engine need not tidy what goes with it.
        supervisor.stop_part(self._layout, "kestra", now=self._project() is None)
        self.take_down(volumes=True)
        self._remember(None)
        self._layout.kestra_config.unlink(missing_ok=True)
        shutil.rmtree(self._layout.data("kestra"), ignore_errors=True)
        shutil.rmtree(self._layout.compose, ignore_errors=True)

    def prepare(self, *, changed: bool = False) -> None:
        """Before it is started: the ports of the day, and its containers when it has some.

        `changed`: its configuration is new, so its image may be too. Raises PartError.
        """
        if supervisor.part_info(self._layout)["kestra"]["statename"] in ("STARTING", "RUNNING"):
            return
        ports = self._engine_ports().values()
        if (project := self._project()) is not None:
            supervisor.let_go(self._layout, ports)
            project.write(self._record.ports)
            project.create(build=changed)
            return
        supervisor.hold(self._layout, ports)
        path = self._layout.kestra_config
        content = json.loads(path.read_text(encoding="utf-8"))
        # One that was made before there was a key learns it here.
        secrets = {**content.get("secrets", {}), EMULATOR_KEY: gate.key(self._layout)}
        write_private(path, _text({**content, "secrets": secrets, **self._engine_ports()}))

    # -- in containers ---------------------------------------------------------------------------

    @property
    def in_containers(self) -> bool:
        """Whether it is a server in containers, running or not."""
        return self._project() is not None

    def check(self) -> None:
        """Raises MissingError when what it runs on is not there: Docker, or the built engine."""
        if (project := self._project()) is not None:
            project.compose.check()
        else:
            content = json.loads(self._layout.kestra_config.read_text(encoding="utf-8"))
            kestra.require_built(Path(content["cache"]))

    def take_down(self, *, volumes: bool = False) -> None:
        """Take its containers away, when it has some; with `volumes` what they kept too.

        Also what is left of them when the supervisor could not stop them. Raises StopError.
        """
        project = self._project()
        if project is not None and self._layout.compose_variables.exists():
            project.down(volumes=volumes)

    def _project(self) -> compose.Project | None:
        return compose.project_of(self._layout, self._record.id)

    def _remember(self, wanted: str | None) -> None:
        self._record.instance = wanted
        self._record.save(self._layout)

    def _configuration(self, config: InstanceConfig, cache: Path) -> str:
        common = {
            "user": config.user,
            "password": config.password,
            "secrets": {**config.secrets, EMULATOR_KEY: gate.key(self._layout)},
        }
        if self._record.compose is not None:
            return _text({**common, "compose": self._record.compose, "variables": config.variables})
        programs = str(Path(sys.executable).parent)
        engine = {
            "host": HOST,
            **self._engine_ports(),
            "data": str(self._layout.data("kestra")),
            "environment": config.environment,
            "path": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
            "cache": str(cache),
        }
        return _text({**common, **engine})

    def _engine_ports(self) -> dict[str, int]:
        ports = self._record.ports
        return {"port": ports["kestra"], "controller_port": ports["kestra-controller"]}


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
