"""Free TCP ports on 127.0.0.1."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

HOST = "127.0.0.1"
_FIRST = 15000
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether a server may listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def assign(names: Iterable[str], known: Mapping[str, int]) -> dict[str, int]:
    """A free port for each name: the known one where it is free, else another.

    Taken from below the range that the kernel uses for outgoing connections: a port in that
    range can be gone at the moment when a healed part wants it back.
    """
    last = _first_ephemeral() - 1
    ports: dict[str, int] = {}
    for name in names:
        port = known.get(name)
        while port is None or port in ports.values() or not is_free(port):
            port = random.randint(_FIRST, last)  # noqa: S311 (no secret: it must only differ)
        ports[name] = port
    return ports


def _first_ephemeral() -> int:
    try:
        return max(int(_RANGE_FILE.read_text().split()[0]), _FIRST + 5000)
    except (OSError, ValueError):
        return 32768


def holder(port: int) -> str:
    """Who listens on `port`: `name (pid)`, or what can be said about it."""
    for connection in psutil.net_connections("tcp"):
        here = connection.laddr
        if connection.status == psutil.CONN_LISTEN and here and here.port == port:
            if connection.pid is None:
                return "a process of another user"
            return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "nobody"
