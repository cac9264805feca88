"""The relays of the local Docker mode: two real processes, and a server on loopback."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

RELAY = Path(__file__).resolve().parents[2] / "infra" / "kestra" / "relay.py"
BODY = bytes(range(256)) * 4096  # a mebibyte


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()  # no length: the end of the answer is the end of the connection
        self.wfile.write(sent[::-1])

    def log_message(self, *arguments: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(condition, what: str) -> None:
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up, f"no {what}"
        time.sleep(0.02)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def relayed(tmp_path: Path) -> Iterator[int]:
    """A port that leads through both relays to the server.

    Inside a container the port would be the server's own; here both relays share one network, so
    a link gives the socket the other number.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    outside, inside = tmp_path / "o", tmp_path / "i"
    outside.mkdir()
    inside.mkdir()
    port, other = server.server_port, free_port()
    (inside / str(other)).symlink_to(outside / str(port))
    started = [
        subprocess.Popen([sys.executable, str(RELAY), side, str(folder), str(number)])
        for side, folder, number in (("outside", outside, port), ("inside", inside, other))
    ]
    try:
        wait_for(lambda: (outside / str(port)).exists(), "socket of the relay outside")
        wait_for(lambda: answers(other), "port of the relay inside")
        yield other
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=10)
        server.shutdown()
        thread.join()
        server.server_close()


def ask(port: int, method: str, body: bytes | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, "/", body=body)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_bytes_arrive_both_ways(relayed: int) -> None:
    assert ask(relayed, "GET") == BODY
    assert ask(relayed, "POST", BODY) == BODY[::-1]


def test_many_connections_at_once(relayed: int) -> None:
    results: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: results.append(ask(relayed, "GET"))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [BODY] * 16


def test_a_part_that_is_down_closes_the_connection(tmp_path: Path) -> None:
    other = free_port()
    (tmp_path / "i").mkdir()
    relay = subprocess.Popen(
        [sys.executable, str(RELAY), "inside", str(tmp_path / "i"), str(other)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: answers(other), "port of the relay inside")
        with socket.create_connection(("127.0.0.1", other), timeout=20) as connection:
            assert connection.recv(1) == b""
        assert relay.poll() is None  # and it goes on serving
    finally:
        relay.terminate()
        assert "relay: " in relay.communicate(timeout=10)[1]
