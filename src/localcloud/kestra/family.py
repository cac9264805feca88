"""Ties processes to each other on Linux, so that none outlives what it belongs to."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable

import psutil

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)
_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int, sign: signal.Signals) -> None:
    """Get `sign` when process `parent`, which must be the parent now, ends."""
    _prctl(_SET_PARENT_DEATH_SIGNAL, sign)
    if os.getppid() != parent:  # it ended before the kernel knew
        os.kill(os.getpid(), sign)


def dying_with_parent(sign: signal.Signals) -> Callable[[], None]:
    """`die_with` for `subprocess.Popen(preexec_fn=…)`."""
    parent = os.getpid()
    return lambda: die_with(parent, sign)


def end_descendants() -> None:
    """Kill every descendant, those that appear meanwhile too. Needs `adopt_orphans` first."""
    while True:
        alive = [p for p in psutil.Process().children(recursive=True) if _alive(p)]
        if not alive:
            return
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        _collect()
        time.sleep(0.02)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _collect() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
