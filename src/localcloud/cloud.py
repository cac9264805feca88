"""The local cloud as one object: start, stop, look, erase, and the Kestra instance in it."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from localcloud import (
    gate,
    lock,
    ports,
    postgres,
    processes,
    register,
    sockets,
    supervisor,
    waiting,
)
from localcloud.archive import EngineData
from localcloud.compose import Compose
from localcloud.errors import CloudError, FolderError, StopError, SupervisorError
from localcloud.instance import Instance, state_of_instance
from localcloud.layout import Layout, default_cache, unusable
from localcloud.parts import PARTS
from localcloud.record import Record
from localcloud.secretstore import SecretStore
from localcloud.state import (
    Endpoint,
    Google,
    InstanceConfig,
    Kestra,
    PartStatus,
    Postgres,
    State,
)
from localcloud.status import statuses


class LocalCloud:
    """The local cloud in one folder. Cheap to make; nothing is written before `start`."""

    def __init__(self, folder: Path, cache: Path | None = None) -> None:
        """`cache`: where the engine's files are; None: the user's cache folder."""
        self.layout = Layout(Path(folder).absolute())
        self.cache = Path(cache).absolute() if cache else default_cache()

    # -- life ------------------------------------------------------------------------------

    def start(self, until: Sequence[str] = ()) -> State:
        """Start what does not run; wait until every part answers.

        `until`: parts after which the others are not waited for, but still started; `wait` does
        that. Doing it twice, or from two commands at once, is safe. What a killed supervisor left
        is ended first. Raises FolderError, BusyError, MissingError or PartError; parts that came
        up stay up then, and the next start goes on from there. Whether what an instance runs on
        is there (Docker, or the built engine) is checked before anything is started.
        """
        _check_machine()
        with lock.held(self.layout.lock), _explaining(self.layout):
            self.layout.create()
            record = Record.load(self.layout)
            instance = Instance(self.layout, record)
            parts = self._parts(record)
            revived = record.instance == "RUNNING"
            if revived and state_of_instance(record, parts) != "RUNNING":
                instance.check()
            if parts is None:
                self._launch(record)
            wanted = [part.name for part in PARTS.values() if not part.on_demand]
            if revived:
                instance.prepare()
                wanted.append("kestra")
            waiting.start(self.layout, wanted)
            waiting.wait(self.layout, record.ports, until or wanted)
            return self._state(record, supervisor.part_info(self.layout))

    def wait(self, *names: str) -> None:
        """Wait until these parts answer, which `start` has started; none named: all but Kestra.

        There is nothing to wait for where nothing runs. Raises PartError for one that does not
        start.
        """
        record = Record.load(self.layout)
        if self._parts(record) is not None:
            wanted = names or [part.name for part in PARTS.values() if not part.on_demand]
            waiting.wait(self.layout, record.ports, wanted)

    def stop(self, *, now: bool = False) -> None:
        """End every process; the data stays. Does nothing when nothing runs.

        `now`: give them no time to finish; for a local cloud that is erased next. Raises StopError
        when something lives on, BusyError when another command is at it.
        """
        if not self.layout.folder.is_dir():
            return
        with lock.held(self.layout.lock):
            record = Record.load(self.layout)
            contained = Instance(self.layout, record).in_containers  # Docker has to end those
            if self._parts(record) is not None:
                with contextlib.suppress(SupervisorError):
                    # First, while its running steps still reach what they read and write: they
                    # would fail for good, and run again with the next start when they are cut off.
                    supervisor.stop_part(self.layout, "kestra", now=now and not contained)
                    supervisor.shut_down(self.layout, now=now)
            self._sweep(record)
            record.supervisor = None
            # A record that could not be written names a process that is gone: it does no harm.
            with contextlib.suppress(OSError):
                if self.layout.state.exists():
                    record.save(self.layout)
            if record.instance == "RUNNING":
                Instance(self.layout, record).take_down()

    def erase(self) -> None:
        """Remove the local cloud's files, its data too.

        Raises CloudError while it runs, FolderError for files that do not go.
        """
        if not self.layout.folder.is_dir():
            return
        with lock.held(self.layout.lock), _explaining(self.layout):
            record = Record.load(self.layout)
            if self.runs():
                raise CloudError(f"the local cloud in {self.layout.folder} runs: stop it first")
            Instance(self.layout, record).take_down(volumes=True)
            _empty(self.layout.folder, but=self.layout.lock)
            register.strike(self.cache, record.id)
        with contextlib.suppress(OSError):  # another command may have begun in it
            self.layout.folder.rmdir()

    # -- looking ---------------------------------------------------------------------------

    def answers(self) -> bool:
        """Whether every part runs and answers, the instance aside. Waits for no other command."""
        record = Record.load(self.layout)
        parts = self._parts(record)
        return parts is not None and all(
            parts[part.name]["statename"] == "RUNNING"
            and part.answers(self.layout, record.ports.get(part.name, 0))
            for part in PARTS.values()
            if not part.on_demand
        )

    def state(self) -> State | None:
        """Where everything is; None when the local cloud does not run."""
        record = Record.load(self.layout)
        parts = self._parts(record)
        return self._state(record, parts) if parts is not None else None

    def runs(self) -> bool:
        """Whether any process of it is alive, be it one that a killed supervisor left."""
        return bool(self._orphans(Record.load(self.layout)))

    def status(self) -> list[PartStatus]:
        """One entry a part, dead ones too; empty when there is no local cloud here."""
        record = Record.load(self.layout)
        if not record.ports:
            return []
        return statuses(self.layout, record.ports, self._parts(record))

    @property
    def secrets(self) -> SecretStore:
        """The local Secret Manager; usable whether or not the cloud runs."""
        return SecretStore(self.layout.secrets)

    # -- the release site --------------------------------------------------------------------

    @property
    def release_folder(self) -> Path:
        """The folder that the release site serves; an empty one of its own at first."""
        served = self.layout.served
        return served.resolve() if served.is_symlink() else self.layout.data("releases") / "empty"

    def serve(self, folder: Path) -> None:
        """Let the release site serve `folder` from now on."""
        if not folder.is_dir():
            raise FolderError(f"the release site can't serve {folder}: it is not a folder")
        _point(self.layout.served, folder.absolute())

    # -- the Kestra instance -----------------------------------------------------------------

    def run_instance_as(self, compose: Compose | None) -> None:
        """What an instance is from its next start with a new configuration on.

        `compose`: a server in containers, under a project name of this local cloud's own that
        begins with the given one; None: the embedded engine. Nothing is started or stopped, and
        when that is so already no other command is waited for.
        """
        record = Record.load(self.layout)
        wanted = None
        if compose is not None:
            wanted = replace(compose, project=f"{compose.project}-{record.id}").as_json()
        if record.compose == wanted:
            return
        with lock.held(self.layout.lock):
            record = Record.load(self.layout)
            record.compose = wanted
            record.save(self.layout)

    def instance_in_containers(self) -> bool | None:
        """Whether the instance is a server in containers; None when there is no instance."""
        record = Record.load(self.layout)
        return Instance(self.layout, record).in_containers if record.instance else None

    def check_instance(self) -> None:
        """Raises MissingError when what the instance runs on is not there, or not what it was."""
        record = Record.load(self.layout)
        if record.instance is not None:
            Instance(self.layout, record).check()

    def start_instance(self, config: InstanceConfig) -> str:
        """Start the Kestra instance with `config`, wait until it answers, give its URL.

        A running instance with the same configuration is left alone, with another one it is
        started anew.
        """
        with self._running() as instance:
            return instance.start(config, self.cache)

    def stop_instance(self) -> None:
        """Stop the instance; it keeps its data, and `start` does not bring it back."""
        with self._running() as instance:
            instance.stop()

    def delete_instance(self) -> None:
        """Stop the instance and remove its data and its configuration."""
        with self._running() as instance:
            instance.delete()

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[EngineData]:
        """While the embedded Kestra is stopped: what it keeps, to be written or replaced.

        It is started again after that, whatever happened. No other command starts or stops
        anything meanwhile. Raises CloudError for no instance, or one in containers.
        """
        with self._running() as instance, instance.standing_still() as data:
            yield EngineData(self.layout, data)

    def check_saved(self, file: Path) -> None:
        """Read all of what `EngineData.save` wrote. Raises CloudError for one that is not whole."""
        EngineData.check(file)

    def instance_state(self) -> str | None:
        """RUNNING, TERMINATED, or None when there is no instance."""
        record = Record.load(self.layout)
        return state_of_instance(record, self._parts(record))

    @contextlib.contextmanager
    def _running(self) -> Iterator[Instance]:
        with lock.held(self.layout.lock):
            record = Record.load(self.layout)
            if self._parts(record) is None:
                raise CloudError(f"the local cloud in {self.layout.folder} does not run")
            yield Instance(self.layout, record)

    # -- inside --------------------------------------------------------------------------------

    def _parts(self, record: Record) -> dict[str, dict[str, Any]] | None:
        """What the supervisor knows of each part; None when it is gone."""
        if processes.find(record.supervisor) is None:
            return None
        try:
            return supervisor.part_info(self.layout)
        except SupervisorError:  # it died this moment
            return None

    def _orphans(self, record: Record) -> list[psutil.Process]:
        return processes.belonging(record.id, self.layout.run)

    def _launch(self, record: Record) -> None:
        self._sweep(record)
        register.note(self.cache, record.id, self.layout.folder)
        postgres.password(self.layout)
        gate.key(self.layout)
        if not self.layout.served.exists():
            empty = self.layout.data("releases") / "empty"
            empty.mkdir(parents=True, exist_ok=True)
            _point(self.layout.served, empty)
        names = [name for part in PARTS.values() for name in part.ports]
        with ports.claimed(names, record.ports) as claims:
            record.ports = {name: one.getsockname()[1] for name, one in claims.items()}
            record.save(self.layout)  # the parts read their ports there
            for name in [name for part in PARTS.values() if not part.shares for name in part.ports]:
                claims.pop(name).close()
            held = [record.ports[name] for name in claims]
            record.supervisor = supervisor.launch(self.layout, self.cache, record.id, held)
        record.save(self.layout)

    def _sweep(self, record: Record) -> None:
        """End what is left of this local cloud, and clear what it left behind."""
        alive = processes.end(self._orphans(record))
        if alive:
            names = ", ".join(f"{process.pid}" for process in alive)
            raise StopError(
                f"processes of the local cloud in {self.layout.folder} do not end: {names}",
                hint="They are probably waiting for a disk. Try again.",
            )
        for folder in (self.layout.run, self.layout.tmp):
            _empty(folder)

    def _state(self, record: Record, parts: dict[str, dict[str, Any]]) -> State:
        def open_to_all(name: str) -> Endpoint:
            return Endpoint(*[gate.address(record.ports[name])] * 2)

        def gated(name: str) -> Endpoint:
            port = record.ports[name]
            return Endpoint(gate.url(self.layout, port), gate.address(port))

        instance = state_of_instance(record, parts)
        holder = int((record.supervisor or {}).get("pid", 0))
        return State(
            storage=gated("storage"),
            warehouse=gated("warehouse"),
            postgres=Postgres(
                host=ports.HOST,
                port=record.ports["postgres"],
                user=postgres.USER,
                database=postgres.DATABASE,
                password=postgres.password(self.layout),
            ),
            releases=open_to_all("releases"),
            google=Google(
                address=sockets.reachable(self.layout.private, sockets.GOOGLE, holder),
                pid=parts["google"]["pid"],
            ),
            key=gate.key(self.layout),
            kestra=Kestra(
                url=gate.address(record.ports["kestra"]) if instance else None, state=instance
            ),
        )


def _check_machine() -> None:
    if sys.platform != "linux":
        raise CloudError(
            f"the local cloud was tried on Linux alone, and this is {sys.platform}",
            hint="On Windows use WSL; docs/platforms.md says what is in the way elsewhere.",
        )


@contextlib.contextmanager
def _explaining(layout: Layout) -> Iterator[None]:
    """What the system refuses while something is started, in one line."""
    try:
        yield
    except OSError as error:
        raise unusable(layout.folder, error) from error


def _point(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target, target_is_directory=True)
    fresh.replace(link)


def _empty(folder: Path, but: Path | None = None) -> None:
    """Remove all below `folder`, `but` one file in it."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_symlink() or not path.is_dir():
            if path != but:
                path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path)
