"""Servers between a client and a server, that spoil what was asked of them: HTTP, and plain TCP.

A spoiler is taken off the list by the first request that fits it; without one a request passes.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing a socket with this resets the connection."""
_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


def reset(connection: socket.socket) -> None:
    """End a connection as a crash does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


@dataclass
class Spoiler:
    """What happens to requests. `times`: to how many; they must fit `asked` ("METHOD path?query").

    `status`: this is the answer, and the server is not asked. Else the server does what was asked,
    and of its answer comes: nothing (`lose`), the half (`cut`), less than was announced (`short`),
    or all of it slowly (`drip`, seconds).
    """

    asked: str = ""
    times: int = 1
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": {"code": 500, "message": "spoilt", "errors": []}}'
    lose: bool = False
    cut: bool = False
    short: bool = False
    drip: float = 0.0
    rewrite: Callable[[bytes], bytes] | None = None
    """Of the server's answer comes what this makes of it."""
    refuse: bool = False
    """Reset before anything is answered, and the server is not asked."""


class HttpProxy:
    """Before an HTTP server on 127.0.0.1; `url` is its own address."""

    def __init__(self, upstream: str) -> None:
        """`upstream`: the server's address, with a path if it has one."""
        host, _, path = upstream.removeprefix("http://").partition("/")
        self._port = int(host.rsplit(":", 1)[1])
        self.spoilers: list[Spoiler] = []
        self.spoilt: list[str] = []
        self.passed: list[str] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.address}/{path}" if path else self.address
        self.upstream = f"http://127.0.0.1:{self._port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()

    def spoil(self, *spoilers: Spoiler) -> None:
        """From now on; what was spoilt before is forgotten."""
        self.spoilers, self.spoilt, self.passed = list(spoilers), [], []

    def take(self, asked: str) -> Spoiler | None:
        """The spoiler of a request, once."""
        with self._lock:
            for one in self.spoilers:
                if one.times > 0 and re.search(one.asked, asked):
                    one.times -= 1
                    self.spoilt.append(asked)
                    return one
            self.passed.append(asked)
        return None

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes):
        """The server's own answer: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            own = {**headers, "Host": f"127.0.0.1:{self._port}", "Connection": "close"}
            connection.request(method, path, body, own)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


def _handler(proxy: HttpProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            spoiler = proxy.take(f"{self.command} {self.path}")
            body = self._body()
            if spoiler and spoiler.refuse:
                return self._reset()
            if spoiler and spoiler.status:
                return self._send(spoiler.status, list(spoiler.headers.items()), spoiler.body)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP | {"host"}}
            if spoiler and spoiler.rewrite:
                headers = {**headers, "Accept-Encoding": "identity"}
            status, told, content = proxy.ask(self.command, self.path, headers, body)
            if spoiler and spoiler.rewrite:
                content = spoiler.rewrite(content)
            if spoiler and spoiler.lose:
                return self._reset()
            return self._send(status, told, content, spoiler)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _any

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _send(self, status, headers, body: bytes, spoiler: Spoiler | None = None) -> None:
            self.send_response_only(status)
            length = len(body) + (10 if spoiler and spoiler.short else 0)
            for name, value in headers:
                if name.lower() not in _HOP:
                    self.send_header(name, value.replace(proxy.upstream, proxy.address))
            if self.command != "HEAD":
                self.send_header("Content-Length", str(length))
            else:
                self.send_header("Content-Length", dict(headers).get("content-length", "0"))
            self.end_headers()
            if self.command == "HEAD":
                return None
            if spoiler and spoiler.cut:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                return self._reset()
            if spoiler and spoiler.drip:
                for at in range(0, len(body), max(1, len(body) // 20)):
                    self.wfile.write(body[at : at + max(1, len(body) // 20)])
                    self.wfile.flush()
                    time.sleep(spoiler.drip / 20)
                return None
            self.wfile.write(body)
            self.close_connection = bool(spoiler)
            return None

        def _reset(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            # The files of the request keep the socket open until all of them are closed.
            self.wfile.close()
            self.rfile.close()
            self.connection.close()

        def handle(self) -> None:
            with suppress(OSError, ValueError):  # what is reset can't be gone on with
                super().handle()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class TcpProxy:
    """Before a server of any protocol: counts what the client sends, and cuts where told."""

    def __init__(self, port: int) -> None:
        """`port`: the server's, on 127.0.0.1."""
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cuts: list[Callable[[int, bytes], bool]] = []
        """Each cuts one connection: when it is true of the bytes so far and the newest ones."""
        self.cut = 0
        self.vanishes = False
        """Whether the server is not told of a cut: it waits for a client that is gone."""
        self.stale: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """End."""
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        cut = self.cuts.pop(0) if self.cuts else None
        server = socket.create_connection(("127.0.0.1", self._port))
        threading.Thread(target=self._back, args=(server, client), daemon=True).start()
        sent = 0
        with suppress(OSError):
            while data := client.recv(1 << 16):
                sent += len(data)
                if cut and cut(sent, data):
                    self.cut += 1
                    if self.vanishes:
                        self.stale.append(server)
                    else:
                        server.shutdown(socket.SHUT_RDWR)  # its reader keeps it open otherwise
                    reset(client)
                    return
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        for one in (server, client):
            one.close()
