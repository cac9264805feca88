"""The parts of the local cloud: their names, their ports, when they are ready, how they stop."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from localcloud import gate, postgres, probe, sockets
from localcloud.layout import Layout
from localcloud.ports import HOST

Probe = Callable[[Layout, int], bool]
"""Asked with the part's port, 0 when it has none."""


@dataclass(frozen=True)
class Part:
    """One supervised program."""

    name: str
    ready: Probe
    """Whether it answers; a cheap, real request."""
    looked_at: Probe | None = None
    """A quicker look, enough for one that was ready before; None: `ready` is quick."""
    more_ports: tuple[str, ...] = ()
    """Names of ports beside the one that bears the part's name."""
    shares: bool = True
    """Its server comes to a port that the supervisor holds."""
    on_socket: bool = False
    """It listens on a Unix socket in the private folder and has no port."""
    stop_signal: str = "TERM"
    stop_seconds: int = 5
    """After that long it is killed."""
    start_seconds: int = 60
    """After that long without an answer the start has failed."""
    on_demand: bool = False
    """Started by itself, not with the others."""

    def answers(self, layout: Layout, port: int) -> bool:
        """Whether it still answers, once it was ready."""
        return (self.looked_at or self.ready)(layout, port)

    @property
    def ports(self) -> tuple[str, ...]:
        """All port names of the part."""
        return (*(() if self.on_socket else (self.name,)), *self.more_ports)


def _gated(_: Layout, port: int) -> bool:
    return probe.status(port, gate.READY, {}) == 204


def _google(layout: Layout, _: int) -> bool:
    return sockets.answers(layout.private, sockets.GOOGLE)


def _postgres(layout: Layout, port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(
            host=HOST,
            port=port,
            user=postgres.USER,
            dbname=postgres.DATABASE,
            password=postgres.password(layout),
            connect_timeout=2,
            require_auth=postgres.LOGIN,  # whatever answers there, it is not told the password
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def _asks_for_password(_: Layout, port: int) -> bool:
    """Whether PostgreSQL takes the owner's connection: it then asks for the password.

    The start-up packet and the answers, `R` or an error, are of PostgreSQL's protocol 3.0.
    """
    body = f"user\0{postgres.USER}\0database\0{postgres.DATABASE}\0\0".encode()
    packet = struct.pack("!II", 8 + len(body), 3 << 16) + body
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(packet)
            return connection.recv(1) == b"R"
    except OSError:
        return False


def _kestra(layout: Layout, port: int) -> bool:
    config = json.loads(layout.kestra_config.read_text(encoding="utf-8"))
    login = probe.login(config["user"], config["password"])
    # A call that needs the password: a server that still has another one is not the one awaited.
    return probe.status(port, "/api/v1/main/flows/search?size=1", login) == 200


PARTS = {
    part.name: part
    for part in (
        Part("storage", _gated),
        Part("warehouse", _gated),
        Part(
            "postgres",
            _postgres,
            looked_at=_asks_for_password,
            shares=False,
            stop_signal="INT",
            stop_seconds=8,
        ),
        Part("releases", _gated),
        Part("google", _google, on_socket=True),
        Part(
            "kestra",
            _kestra,
            more_ports=("kestra-controller",),
            # The embedded engine takes 8 and 5 at most; containers more: each has 10 to stop in,
            # and their first start sets up a database.
            stop_seconds=40,
            start_seconds=300,
            on_demand=True,
        ),
    )
}
