"""Connections that never send a whole request are closed; those that rest or work are not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from localcloud import patience

LIMIT = 0.5
ASKS = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


async def slow_part(scope, receive, send) -> None:
    """Reads the whole body, and answers."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.fixture
def connect(monkeypatch) -> Iterator:
    monkeypatch.setattr(patience, "HEAD_SECONDS", LIMIT)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(slow_part, http=patience.Patient, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    opened: list[socket.socket] = []

    def new() -> socket.socket:
        opened.append(socket.create_connection(listener.getsockname(), timeout=20))
        return opened[-1]

    yield new
    for one in opened:
        one.close()
    server.should_exit = True
    thread.join()
    listener.close()


def test_a_connection_that_says_nothing_is_closed(connect):
    assert connect().recv(1) == b""


def drip(connection: socket.socket) -> None:
    for byte in b"GET / HTTP/1.1\r\nX-Endless: " + b"x" * 10_000:
        connection.sendall(bytes([byte]))
        time.sleep(LIMIT / 10)


def test_a_request_that_drips_is_closed(connect):
    with pytest.raises(ConnectionError):  # told at a byte after the end
        drip(connect())


def test_a_request_that_drips_after_an_answer_is_closed(connect):
    connection = connect()
    connection.sendall(ASKS)
    assert b"204" in connection.recv(1000)
    connection.sendall(ASKS[:10])
    assert connection.recv(1) == b""


def test_a_connection_that_rests_between_two_requests_stays(connect):
    connection = connect()
    for _ in range(2):
        connection.sendall(ASKS)
        assert b"204" in connection.recv(1000)
        time.sleep(2 * LIMIT)


def test_a_body_may_take_its_time(connect):
    connection = connect()
    connection.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\n")
    for _ in range(3):
        time.sleep(LIMIT)
        connection.sendall(b"x")
    assert b"204" in connection.recv(1000)
