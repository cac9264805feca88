"""One backfill at a time is planned and started: two alike at once would load every month twice.

From its plan to the moment that Kestra tells of its execution a command has the turn; the next
one then sees that execution and attaches to it. Commands on one machine and state folder wait for
each other. Two machines do not see each other's turn, but what Kestra runs: of two that started the
same months at once, the later one ends its own and attaches to the other's (`runner`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from taxistack import folder_lock
from taxistack.errors import LockedError

HOLDER = "backfill.holder"
"""The file that says whose turn it is; what is locked is its folder, which needs no free byte."""
WAIT_S = 300.0


@contextmanager
def turn(
    folder: Path, say: Callable[[str], object], wait: float = WAIT_S
) -> Iterator[Callable[[], None]]:
    """Wait for our turn to plan and start; it ends with the block, or when the function is called.

    `folder`: of this target's state. `say` is told for whom is waited, once. Raises LockedError
    when somebody else has the turn for longer than `wait` seconds.
    """
    held = _taken(folder, say, wait)
    with contextlib.suppress(OSError):  # it tells who it is, no more
        (folder / HOLDER).write_text(str(os.getpid()), encoding="ascii")
    open_ = [held]

    def end() -> None:
        if open_:
            (folder / HOLDER).unlink(missing_ok=True)
            os.close(open_.pop())

    try:
        yield end
    finally:
        end()


def _taken(folder: Path, say: Callable[[str], object], wait: float) -> int:
    """The locked folder's descriptor."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        folder_lock.wait_for(
            descriptor,
            wait,
            lambda: say(f"process {_holder(folder)} is starting a backfill: waiting for it"),
            lambda: LockedError(
                f"process {_holder(folder)} has been planning a backfill for minutes",
                hint="wait for it, or end that process",
            ),
        )
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _holder(folder: Path) -> str:
    with contextlib.suppress(OSError):
        return (folder / HOLDER).read_text(encoding="ascii") or "unknown"
    return "unknown"
