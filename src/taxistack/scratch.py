"""Folders for the files of one command: they go when it ends, and with the next one if it can't.

A command that is killed removes nothing. Each folder is locked while its command lives; the next
command that wants one beside it removes those that nobody holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "run-"


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A folder of its own below `parent`, which is made when missing; nobody else may read it."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(parent)
    folder, held = _make(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _make(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        # Another command may take it for a dead one's before it is locked, and remove it.
        with contextlib.suppress(FileNotFoundError):
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(held, fcntl.LOCK_EX)
            if folder.exists():
                return folder, held
            os.close(held)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:  # it has just gone
            continue
        with contextlib.suppress(BlockingIOError):  # its command lives
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)
