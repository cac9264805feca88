"""A folder that is locked: who wants it waits, says so once, and gives up after a while.

The folder itself is locked, which needs no free byte; the lock ends with its holder's process.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable

from taxistack.errors import LockedError

_LOOK_S = 0.1


def wait_for(
    descriptor: int, wait: float, waiting: Callable[[], object], refused: Callable[[], LockedError]
) -> None:
    """Take the lock of an opened folder for this process alone.

    `waiting`: called once when somebody else has it. Raises what `refused` gives when that lasts
    longer than `wait` seconds.
    """
    give_up, said = time.monotonic() + wait, False
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > give_up:
            raise refused()
        if not said:
            waiting()
            said = True
        time.sleep(_LOOK_S)
