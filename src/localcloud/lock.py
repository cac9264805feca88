"""One command at a time on one local cloud: a lock that names its holder and leaves no file."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.errors import BusyError, FolderError


@contextmanager
def held(path: Path, timeout: float = 120.0) -> Iterator[None]:
    """Hold the lock at `path`; wait up to `timeout` seconds for whoever has it.

    Raises BusyError (names the other process) or FolderError. The lock dies with its process;
    the file is removed on release, so a holder checks that it locked the file that is there.
    """
    deadline = time.monotonic() + timeout
    while (descriptor := _acquire(path)) is None:
        if time.monotonic() > deadline:
            raise BusyError(
                f"process {_holder(path)} has been starting or stopping the local cloud in "
                f"{path.parent} for over {timeout:.0f} s",
                hint="Wait for it, or end that process.",
            )
        time.sleep(0.05)
    try:
        os.ftruncate(descriptor, 0)  # a dead holder's number may be longer
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _holder(path: Path) -> str:
    try:
        return path.read_text().strip() or "unknown"
    except OSError:
        return "unknown"


def _acquire(path: Path) -> int | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FolderError(
            f"the local cloud can't use {path.parent}: {error.strerror or error}",
            hint="Name another folder (setting `state`), or mend this one's permissions.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
