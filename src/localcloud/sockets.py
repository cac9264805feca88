"""Unix sockets in the private folder, and how to reach one whose path is too long for a socket.

The path itself serves wherever it is short enough; only beyond that the kernel's names for an open
folder do (`/proc`, on Linux alone).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

GOOGLE = "google.sock"
_LONGEST = 100  # bytes of a socket's path; Linux takes 107, macOS 103


def fits(path: Path) -> bool:
    """Whether a socket can be reached by this path."""
    return len(os.fsencode(path)) <= _LONGEST


def reachable(folder: Path, name: str, holder: int) -> str:
    """The path that a client gives for the socket `name` in `folder`.

    One that is too long goes by the folder that the process `holder` works in.
    """
    path = folder / name
    return str(path) if fits(path) else f"/proc/{holder}/cwd/{name}"


@contextlib.contextmanager
def at_hand(folder: Path, name: str) -> Iterator[str]:
    """A path of the socket `name` for this process, as long as the block runs. Raises OSError."""
    path = folder / name
    if fits(path):
        yield str(path)
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{name}"
    finally:
        os.close(opened)


def answers(folder: Path, name: str) -> bool:
    """Whether somebody listens there."""
    try:
        with at_hand(folder, name) as path, socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(path)
    except OSError:
        return False
    return True
