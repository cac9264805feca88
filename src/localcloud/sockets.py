"""Unix sockets in the private folder, and how to reach one whose path is too long for a socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

GOOGLE = "google.sock"
_LONGEST = 100  # bytes of a socket's path; the kernel takes 107


def reachable(folder: Path, name: str, holder: int) -> str:
    """The path that a client gives for the socket `name` in `folder`.

    One that is too long goes by the folder that the process `holder` works in.
    """
    path = str(folder / name)
    return path if len(os.fsencode(path)) <= _LONGEST else f"/proc/{holder}/cwd/{name}"


def answers(folder: Path, name: str) -> bool:
    """Whether somebody listens there."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(f"/proc/self/fd/{opened}/{name}")
    except OSError:
        return False
    finally:
        os.close(opened)
    return True
