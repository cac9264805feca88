"""A stack of a test's own, its commands as processes that are struck, and what must be so after."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.conftest import settings_of
from tests.families import told

from localcloud import processes
from localcloud.parts import PARTS
from localcloud.record import Record
from taxi_etl import release, sample
from taxi_etl.month import Month

ROOT = Path(__file__).resolve().parents[2]
ROWS = 3_000
"""Of each month that it loads."""
ENGINE = "localcloud.kestra.Main"
Mark = str | Callable[[], bool]
"""A step of a command: a line of its output that matches, or what is seen from outside."""


def span(months: list[Month]) -> tuple[str, ...]:
    """The flags that name green months."""
    return ("--start", str(months[0]), "--end", str(months[-1]), "--taxi", "green")


def load(months: list[Month]) -> tuple[str, ...]:
    """The command that loads them."""
    return ("backfill", *span(months), "--only", "missing,failed")


@dataclass
class Struck:
    """A command that got a signal in the middle of its work."""

    code: int
    said: str


class Stack:
    """State, temporary files and releases below one folder, whose name nothing may trip over."""

    def __init__(self, folder: Path, name: str = "taxistack") -> None:
        """`folder`: empty; nothing is started. `name`: the setting."""
        here = folder / "Zoë 東京 & more"
        self.state, self.tmp, self.releases = here / "state", here / "tmp", here / "releases"
        self.clone, self.name = ROOT, name
        self.before: Callable[[], None] | None = None
        """What a command's process does before it is one."""
        for one in (self.tmp, self.releases):
            one.mkdir(parents=True)
        self.environment = {
            **os.environ,
            "INVOKE_TAXISTACK_STATE": str(self.state),
            "INVOKE_TAXISTACK_NAME": name,
            "TMPDIR": str(self.tmp),
        }

    def moved_to_a_clone(self, clone: Path) -> Stack:
        """The same from a clone of its own, with all settings as they are there."""
        names = ("src", "scripts", "infra", "flows", "analytics", "invoke.yaml", "tasks.py")
        clone.mkdir()
        for name in names:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, clone / name)
        self.clone, self.state = clone, clone / ".taxistack"
        for name in ("STATE", "NAME"):
            del self.environment[f"INVOKE_TAXISTACK_{name}"]
        # Before the paths that the environment was made with.
        self.environment["PYTHONPATH"] = os.pathsep.join((f"{clone}/src", f"{clone}/scripts"))
        return self

    # --- commands -----------------------------------------------------------------------------

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """A command at work; what it says comes through one pipe."""
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments], cwd=self.clone, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=self.before,
        )  # fmt: skip

    def run(self, *arguments: str, code: int | None = 0, patience: float = 400) -> str:
        """A command to its end; `code` None: whatever it ends with. `patience`: seconds."""
        process = self.begin(*arguments)
        said, _ = process.communicate(timeout=patience)
        assert code is None or process.returncode == code, f"{arguments}: {said}"
        assert "Traceback" not in said, said
        return said

    def strike(self, number: signal.Signals, mark: Mark, *arguments: str) -> Struck:
        """Send a signal to a command when it is where `mark` says."""
        with self.begin(*arguments) as process:
            try:
                said = _until(process, mark)
                process.send_signal(number)
                rest, _ = process.communicate(timeout=200)
            finally:
                process.kill()
        assert "Traceback" not in said + rest, said + rest
        return Struck(process.returncode, said + rest)

    def again(self, *arguments: str) -> str:
        """The same command, until it gets through: locks are waited for or released as it says."""
        give_up = time.monotonic() + 120
        unlock: list[str] = []
        while time.monotonic() < give_up:
            process = self.begin(*arguments, *unlock)
            said, _ = process.communicate(timeout=400)
            assert "Traceback" not in said, said
            if process.returncode == 0:
                return said
            if "the stack is not locked" in said:  # released meanwhile
                unlock = []
                continue
            assert process.returncode == 4, said
            found = re.search(r"--force-unlock[= ](\S+)", said)
            assert found, f"a lock that nobody explains: {said}"
            # The Terraform of a killed command goes on to its end, and releases the lock itself.
            if not any(str(self.state) in " ".join(_words(one)) for one in _applying()):
                unlock = ["--force-unlock", found.group(1)]
            time.sleep(1)
        pytest.fail("the lock stays")

    # --- looking ------------------------------------------------------------------------------

    @property
    def target(self):
        """The stack as the kit's own code sees it, read afresh."""
        from taxistack.targets import open_target

        return open_target(settings_of(self.state, name=self.name))

    def family(self) -> list[psutil.Process]:
        """Every process of its local cloud."""
        layout = self.target.cloud.layout
        return processes.belonging(Record.load(layout).id, layout.run)

    def part(self, name: str) -> psutil.Process:
        """The process that does the work of a part, of the supervisor, or of the engine."""
        cloud = self.target.cloud
        if name == "supervisor":
            return psutil.Process(int(Record.load(cloud.layout).supervisor["pid"]))
        (pid,) = [part.pid for part in cloud.status() if part.name == name]
        process = psutil.Process(pid)
        if name != "kestra":
            return process
        return told(process.children(recursive=True), ENGINE)[0]

    def steps(self) -> list[psutil.Process]:
        """The steps of loads that run now."""
        return [one for one in told(self.family(), "taxi_etl") if one.name().startswith("python")]

    def publish(self, months: list[Month], rows: int) -> None:
        """Put green months on the release site."""
        for month in months:
            path = self.releases / "green" / release.file_name("green", month)
            path.parent.mkdir(exist_ok=True)
            sample.write(path, "green", month, rows)

    def whole(self, months: list[Month], rows: int = ROWS) -> None:
        """Every month is there once in both destinations, proven, and nothing lies about."""
        said = self.run("verify", *span(months))
        assert f"verify: {2 * len(months):,} months proven equal" in said, said
        target = self.target
        try:
            between = f"BETWEEN DATE '{months[0]}-01' AND DATE '{months[-1]}-01'"
            statements = (
                f"SELECT count(*), count(DISTINCT unique_row_id) FROM {{}}green_tripdata "
                f"WHERE source_month {between}",
                f"SELECT count(*), count(*) FROM {{}}loads_current "
                f"WHERE taxi = 'green' AND month {between}",
            )
            wanted = [(rows * len(months),) * 2, (len(months),) * 2]
            with target.postgres() as connection:
                got = [connection.execute(one.format("")).fetchone() for one in statements]
            assert got == wanted
            outputs, warehouse = target.outputs, target.bigquery()
            place = f"`{outputs.project}`.{outputs.dataset}."
            asked_for = [warehouse.query(one.format(place)).result() for one in statements]
            assert [tuple(next(iter(rows)).values()) for rows in asked_for] == wanted
            staging = warehouse.list_tables(f"{outputs.project}.{outputs.staging_dataset}")
            assert [one.table_id for one in staging] == []
        finally:
            target.forget()

    def tidy(self) -> None:
        """Nothing of a killed command is left, and every part runs."""
        assert list(self.tmp.iterdir()) == [], "temporary files"
        assert list(self.state.rglob("run-*")) == [], "plans and variables"
        running = {part.name for part in self.target.cloud.status() if part.pid}
        assert running == set(PARTS)
        assert self.steps() == []

    def gone(self) -> None:
        """After `down`: no process, no file."""
        assert not self.state.exists()
        assert list(self.tmp.iterdir()) == []
        mine = [one for one in psutil.process_iter() if str(self.state) in " ".join(_words(one))]
        assert mine == []


@contextmanager
def kept_dead(supervisor: psutil.Process, *killed: psutil.Process) -> Iterator[None]:
    """Kill these; nobody starts them again before the block ends."""
    supervisor.suspend()
    try:
        for one in killed:
            one.kill()
        eventually(lambda: not any(processes.is_alive(one) for one in killed))
        yield
    finally:
        supervisor.resume()


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _applying() -> list[psutil.Process]:
    return told(psutil.process_iter(), "apply")


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def _until(process: subprocess.Popen[str], mark: Mark) -> str:
    """What the command says until it is there."""
    said = ""
    assert process.stdout is not None
    if isinstance(mark, str):
        for line in process.stdout:
            said += line
            if re.search(mark, line):
                return said
        pytest.fail(f"it ended before it said {mark!r}: {said}")
    give_up = time.monotonic() + 90
    while not mark():
        if process.poll() is not None or time.monotonic() > give_up:
            pytest.fail(f"it never came to the step: {process.stdout.read()}")
        time.sleep(0.05)
    return said
