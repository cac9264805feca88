"""What the fault tests share: how a case is written down, and the steps on parts of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.faults import record
from tests.faults.stack import ROWS, Stack
from tests.platform.etl.conftest import parts

from taxi_etl.month import Month

__all__ = ["parts"]

_cases: list[record.Case] = []


class Clock:
    """The time of one case, from the end of its fault on."""

    def __init__(self) -> None:
        self._struck = time.monotonic()
        self.seconds: float | None = None
        self.measured = ""

    def struck(self) -> None:
        """The fault is over now: what follows is recovery."""
        self._struck = time.monotonic()

    def recovered(self) -> None:
        """Everything is whole again now, or was refused clearly."""
        self.seconds = round(time.monotonic() - self._struck, 1)


Fault = Callable[[str, str, str], AbstractContextManager[Clock]]


@pytest.fixture
def fault(record_property: Callable[[str, object], None]) -> Fault:
    """A case: `with fault(family, what is done, where) as clock:` around fault and recovery."""

    @contextmanager
    def case(family: str, fault: str, place: str) -> Iterator[Clock]:
        clock = Clock()
        try:
            yield clock
        finally:
            told = {"family": family, "fault": fault, "place": place}
            record_property("fault", {**told, "seconds": clock.seconds, "measured": clock.measured})

    return case


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    if not (shutil.which("mount") and shutil.which("umount")):
        pytest.skip("no mount and umount on PATH for a small file system")
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=260m,mode=0700", "small", str(folder)]
    if (done := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"this machine mounts nothing: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="session")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that tests may strike, beside the session's `platform`; it loads from a folder."""
    made = Stack(tmp_path_factory.mktemp("struck"))
    made.before = partial(os.umask, 0)  # a careless shell: what is private is made so by the kit
    try:
        made.run("up")
        made.run("deploy-flows", "--source", str(made.releases))
        yield made
    finally:
        shutil.rmtree(made.state / "backups", ignore_errors=True)  # which `down` leaves alone
        made.run("down", "--yes")
        made.gone()


_years = iter(range(2009, 2100))


def months_of_their_own(stack: Stack) -> list[Month]:
    """Two months on its release site that nobody else loads."""
    year = next(_years)
    found = [Month(year, 1), Month(year, 2)]
    stack.publish(found, ROWS)
    return found


@pytest.fixture
def own_months(own_stack: Stack) -> list[Month]:
    """Two months of the test's own on its release site."""
    return months_of_their_own(own_stack)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather the cases; with xdist the controller hears of every worker's."""
    if report.when == "call" and report.outcome != "skipped":
        for name, told in report.user_properties:
            if name == "fault" and isinstance(told, dict):
                _cases.append(record.Case(survived=report.passed, **told))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write them where it was asked for; a worker of xdist only tells its controller."""
    path = os.environ.get(record.VARIABLE)
    if path and not hasattr(session.config, "workerinput"):
        record.Found.of(_cases).write(Path(path))
