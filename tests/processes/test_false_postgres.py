"""A false PostgreSQL server at the port of the true one: it asks for the password and gets nothing.

The port of a dead PostgreSQL can be taken by anybody, because its server shares none.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from localcloud import postgres
from localcloud.layout import Layout
from localcloud.parts import PARTS
from taxi_etl.destinations.postgres import Postgres
from taxi_etl.errors import ConnectionLost
from taxistack.backups import dump
from taxistack.errors import FailedError, MissingError
from taxistack.targets.base import Target

PASSWORD = "only-the-true-one-knows"
_SSL, _GSS = 80877103, 80877104
# PostgreSQL's protocol 3.0: what a server may ask for after the first packet of a client.
ASKS = {
    "clear text": b"R" + struct.pack("!II", 8, 3),
    "MD5": b"R" + struct.pack("!II", 12, 5) + b"salt",
    "nothing": b"R" + struct.pack("!II", 8, 0) + b"Z" + struct.pack("!I", 5) + b"I",
    "SCRAM and no more": b"R" + struct.pack("!II", 23, 10) + b"SCRAM-SHA-256\0\0",
}
LET_IN = ASKS["nothing"]


class FalseServer:
    """It answers as it was told to, and keeps what it hears."""

    def __init__(self, asks: str) -> None:
        """Listen at a free port."""
        self.asks, self.heard = asks, b""
        self.logins = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Hear the last word, and stop."""
        with suppress(OSError):  # it is closed
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client, suppress(OSError):
                client.settimeout(10)
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        while True:
            size, kind = struct.unpack("!II", client.recv(8, socket.MSG_WAITALL))
            self.heard += client.recv(size - 8, socket.MSG_WAITALL) if size > 8 else b""
            if kind not in (_SSL, _GSS):
                break
            client.sendall(b"N")
        self.logins += 1
        client.sendall(ASKS[self.asks])
        if self.asks == "SCRAM and no more":
            self.heard += client.recv(4096)  # who asks, and a random word
            client.sendall(LET_IN)
        while more := client.recv(4096):
            self.heard += more


@pytest.fixture(params=sorted(ASKS))
def false_server(request: pytest.FixtureRequest) -> Iterator[FalseServer]:
    with closing(FalseServer(request.param)) as server:
        yield server


def by_a_step(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"HOST": "127.0.0.1", "PORT": str(port), "USER": "taxi", "PASSWORD": PASSWORD}
    for name, value in known.items():
        monkeypatch.setenv(f"PG{name}", value)
    destination = Postgres()
    with pytest.raises(ConnectionLost), destination.explaining("connecting"):
        destination.connect().close()


def address(port: int) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": port, "user": "taxi", "dbname": "taxi"}


def by_a_command(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = SimpleNamespace(
        postgres_address=lambda: address(port), postgres_password=lambda: PASSWORD
    )
    with pytest.raises(MissingError, match="does not answer"):
        Target.postgres(target).close()  # type: ignore[arg-type]


def by_a_backup(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FailedError, match="pg_dump"):
        dump.dump(address(port), PASSWORD, folder / "dump", postgres.programs())


def by_who_waits_for_the_part(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(folder)
    layout.private.mkdir()
    layout.postgres_password.write_text(PASSWORD)
    assert not PARTS["postgres"].ready(layout, port)


@pytest.mark.parametrize("asked", [by_a_step, by_a_command, by_a_backup, by_who_waits_for_the_part])
def test_a_false_server_gets_neither_the_password_nor_a_question(
    false_server: FalseServer,
    asked: Callable[[int, Path, pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    asked(false_server.port, tmp_path, monkeypatch)
    false_server.close()
    assert false_server.logins > 0, "it was asked"
    assert PASSWORD.encode() not in false_server.heard
    assert b"md5" not in false_server.heard
    assert b"SELECT" not in false_server.heard.upper()


def test_without_that_demand_it_would_be_told():
    with closing(FalseServer("clear text")) as server:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(
                host="127.0.0.1",
                port=server.port,
                user="taxi",
                password=PASSWORD,
                connect_timeout=2,
            ).close()
        server.close()
        assert PASSWORD.encode() in server.heard
