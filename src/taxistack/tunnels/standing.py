"""Tunnels that outlive one command: `invoke tunnel` holds them, other commands learn where.

The file says which process holds which ports. It counts only while that process holds the
file's lock, so a killed one leaves nothing that could be believed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from taxistack.errors import LockedError, TaxistackError
from taxistack.tunnels.tunnel import Tunnel

PAUSE = 0.5  # seconds between two looks at the tunnels
TRIES = 5  # to open one again; the pauses double, 31 s in all


@dataclass(frozen=True)
class Kept:
    """The local ports of the tunnels that process `pid` holds open."""

    pid: int
    kestra_port: int
    postgres_port: int


def kept(path: Path) -> Kept | None:
    """The ports in the file; None when the process that wrote it no longer holds it."""
    with contextlib.suppress(FileNotFoundError), path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _parse(file.read())
    return None


def _parse(text: str) -> Kept | None:
    try:
        return Kept(**json.loads(text))
    except (ValueError, TypeError):  # its process is just about to write it
        return None


@contextlib.contextmanager
def hold(path: Path) -> Iterator[Callable[[int, int], None]]:
    """Hold the file; hands out what writes the two ports (Kestra's, PostgreSQL's) into it.

    Raises LockedError when another process holds it.
    """
    with path.open("a+") as file:
        _hold(file, path)
        file.truncate(0)

        def write(kestra_port: int, postgres_port: int) -> None:
            json.dump(asdict(Kept(os.getpid(), kestra_port, postgres_port)), file)
            file.flush()

        try:
            yield write
        finally:
            file.truncate(0)


def _hold(file: IO[str], path: Path) -> None:
    # Another command that reads the file holds it for a moment too.
    for _ in range(10):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
    holder = kept(path)
    who = f"process {holder.pid}" if holder else "another process"
    raise LockedError(
        f"`invoke tunnel` runs already for this stack: {who} holds it open",
        hint="invoke status --env prints its addresses",
    )


def keep_open(tunnels: Sequence[Tunnel], say: Callable[[str], None]) -> None:
    """Look after open tunnels until somebody interrupts; one that died is opened again.

    Raises what `Tunnel.ensure` raises when that does not succeed.
    """
    while True:
        for tunnel in tunnels:
            if not tunnel.alive():
                say(f"the tunnel to port {tunnel.port} was cut; opening it again")
                _reopen(tunnel)
                say(f"the tunnel to port {tunnel.port} is open again")
        time.sleep(PAUSE)


def _reopen(tunnel: Tunnel) -> None:
    for attempt in range(TRIES):
        try:
            tunnel.ensure()
            return
        except TaxistackError:
            if attempt == TRIES - 1:
                raise
            time.sleep(2**attempt)
