"""One command at a time on one local cloud: a lock that names its holder and needs no free byte.

The folder itself is locked, so a full disk can't keep a command from ending processes. The file
only tells who holds it, where it could be written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.errors import BusyError
from localcloud.layout import unusable


@contextmanager
def held(path: Path, timeout: float = 120.0) -> Iterator[None]:
    """Hold the lock on the folder of `path`; wait up to `timeout` seconds for whoever has it.

    Raises BusyError (names the other process) or FolderError. The lock dies with its process;
    the file is removed on release.
    """
    deadline = time.monotonic() + timeout
    while (descriptor := _acquire(path.parent)) is None:
        if time.monotonic() > deadline:
            raise BusyError(
                f"process {_holder(path)} has been starting or stopping the local cloud in "
                f"{path.parent} for over {timeout:.0f} s",
                hint="Wait for it, or end that process.",
            )
        time.sleep(0.05)
    try:
        with contextlib.suppress(OSError):
            path.write_text(str(os.getpid()))
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _holder(path: Path) -> str:
    try:
        return path.read_text().strip() or "unknown"
    except OSError:
        return "unknown"


def _acquire(folder: Path) -> int | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise unusable(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            return descriptor  # else whoever had it has removed the folder
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
