"""Which tests stay together on one worker, where pytest-xdist spreads the suite over several."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

TESTS = Path(__file__).parent
# These start servers once for their folder.
FOLDERS = ("platform/contract", "platform/etl", "infra/standin")

# Each of these tests makes a stack, and takes it away: they share nothing.
ALONE = (
    "faults/test_kill_up_and_down.py", "faults/test_two_stacks.py", "faults/test_up_interrupted.py",
)  # fmt: skip
# Each of these takes any `own_stack`, and leaves it whole; a worker has one, with every fault.
ANYWHERE = ("faults/test_concurrency.py", "faults/test_kill_anywhere.py")
# Fixtures of the session that take long to make.
STRUCK = "own_stack"
STACKS = ("platform", STRUCK)


class Chains(LoadScopeScheduling):
    """A file stays together; so do all files that ask for the session's `platform`.

    A worker has sessions of its own: a platform would be started on each. xdist's own groups
    (`loadgroup`) say nothing with pytest 9.2, whose nodes keep their name elsewhere.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].removeprefix(f"{TESTS.name}/")
        every_fault = not self.config.option.markexpr
        if file in ALONE or (every_fault and file in ANYWHERE):
            return nodeid
        # With every fault these are half an hour in a row: a stack for each worker is less.
        return file if chain(file) == STRUCK and every_fault else chain(file)


@cache
def chain(file: str) -> str:
    """The chain of a test file, by its path below tests. What it asks for is read in its text."""
    folder = str(Path(file).parent)
    if folder in FOLDERS:
        return folder
    text = (TESTS / file).read_text()
    asked = [name for name in STACKS if re.search(rf"def \w+\([^)]*\b{name}\b", text)]
    return asked[0] if asked else file


class Interrupts:
    """Ctrl-C reaches the workers, and they have the time to take their platforms away.

    xdist asks them to end and kills them ten seconds later: what their fixtures have started would
    run on. From a terminal they get the signal too, but not when this process alone is sent one.
    """

    PATIENCE_S = 180.0

    def __init__(self, worker: bool) -> None:
        """`worker`: whether this process is one."""
        self._worker = worker
        self._nodes: list[WorkerController] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: WorkerController) -> None:
        """A worker is there."""
        self._nodes.append(node)

    def pytest_keyboard_interrupt(self) -> None:
        """Before fixtures end in a worker; before xdist ends the workers, in their controller."""
        if self._worker:  # a second one would break off what the first one began
            signal.signal(signal.SIGINT, lambda *_: None)
        for node in self._nodes:
            with suppress(ProcessLookupError):
                os.kill(node.gateway._rinfo().pid, signal.SIGINT)
        for node in self._nodes:
            with suppress(node.channel.TimeoutError, EOFError):
                node.channel.waitclose(self.PATIENCE_S)
