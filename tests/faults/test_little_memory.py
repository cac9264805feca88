"""1 GB of memory for the whole local cloud and the commands, but for the engine's own process."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.families import told
from tests.faults.stack import ENGINE, Stack, load

from taxi_etl.month import Month

FAMILY = "Machines with too little"
GROUPS = Path("/sys/fs/cgroup/memory")
LIMIT = 1 << 30
MONTHS = Month.range(Month(2205, 1), Month(2205, 4))
ROWS = 50_000


class Group:
    """A control group (version 1) with that much memory; processes stay in it, and theirs."""

    def __init__(self, folder: Path) -> None:
        """`folder`: is made."""
        self._folder = folder
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(LIMIT))

    def take(self, pid: int) -> None:
        """A process, from now on."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def members(self) -> set[int]:
        """Those who are in it."""
        return {int(one) for one in (self._folder / "cgroup.procs").read_text().split()}

    def used(self) -> int:
        """Bytes of its processes now, without the files that the system keeps in memory."""
        found = re.search(r"^total_rss (\d+)$", (self._folder / "memory.stat").read_text(), re.M)
        assert found
        return int(found.group(1))

    def remove(self) -> None:
        """When nobody is in it any more."""
        self._folder.rmdir()


@pytest.fixture
def group(tmp_path) -> Iterator[Group]:
    folder = GROUPS / f"taxistack-{tmp_path.name}-{time.time_ns()}"
    try:
        made = Group(folder)
    except OSError as error:
        pytest.skip(f"this machine limits no group's memory: {error}")
    yield made
    made.remove()


class Guard(threading.Thread):
    """Keeps the engine out of the group, and takes in the steps that it starts."""

    def __init__(self, stack: Stack, group: Group) -> None:
        """It begins with `start`."""
        super().__init__(daemon=True)
        self._stack, self._group = stack, group
        self.over = threading.Event()
        self.steps: set[int] = set()
        self.peak = 0

    def run(self) -> None:
        """Until it is over."""
        while not self.over.wait(0.1):
            self.peak = max(self.peak, self._group.used())
            everyone = list(psutil.process_iter())
            engines = {one.pid for one in told(everyone, ENGINE)} & self._group.members()
            for pid in engines:
                with suppress(OSError):
                    (GROUPS / "cgroup.procs").write_text(str(pid))
            for one in self._mine(told(everyone, "taxi_etl")):
                with suppress(OSError):
                    self._group.take(one.pid)
                    self.steps.add(one.pid)

    def _mine(self, found: list[psutil.Process]) -> Iterator[psutil.Process]:
        for one in found:
            with suppress(psutil.Error):
                if one.pid not in self.steps and str(self._stack.state) in " ".join(
                    [*one.environ().values(), *one.cmdline()]
                ):
                    yield one


@pytest.mark.faults_all
def test_a_gigabyte_is_enough_for_everything_but_the_engine(tmp_path, group, fault):
    stack = Stack(tmp_path)
    stack.publish(MONTHS, ROWS)
    guard = Guard(stack, group)
    guard.start()
    try:
        with fault(FAMILY, "1 GB of memory", "everything but the engine") as clock:
            stack.before = lambda: group.take(0)
            stack.run("up")
            stack.run("deploy-flows", "--source", str(stack.releases))
            stack.run(*load(MONTHS), "--parallel", "4")
            stack.whole(MONTHS, ROWS)
            clock.measured = f"{guard.peak / 1e6:.0f} MB at most"
            assert len(guard.steps) >= 3 * 2 * len(MONTHS)
            assert {one.pid for one in stack.family()} - group.members() == {
                stack.part("kestra").pid
            }
            stack.tidy()
    finally:
        guard.over.set()
        guard.join()
        stack.before = None
        stack.run("down", "--yes")
        stack.gone()
