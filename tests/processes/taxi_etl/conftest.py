"""A release site that misbehaves on request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Site:
    """What the site has, and how it answers."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str = '"one"'
    ranges: bool = True
    minds_if_range: bool = True
    requests: list[dict[str, str]] = field(default_factory=list)
    answers: list[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    """Taken one by one for the next requests; the usual answer when there is none left."""

    def cut_after(self, length: int) -> None:
        """The next answer promises the whole file and hangs up after `length` bytes of it."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            body = self.files[handler.path]
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.send_header("ETag", self.etag)
            handler.end_headers()
            handler.wfile.write(body[:length])
            handler.close_connection = True

        self.answers.append(answer)

    def answer_status(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """The next answer has that status."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)

        self.answers.append(answer)

    def redirect(self, address: str) -> None:
        """The next answer sends the client there."""
        self.answer_status(302, headers={"Location": address})

    def slowly(self, first: bytes, rest: bytes, *, chunked: bool) -> threading.Event:
        """The next answer holds the rest of its body back until the event is set."""
        go_on = threading.Event()

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            size = ("Transfer-Encoding", "chunked")
            handler.send_header(*(size if chunked else ("Content-Length", f"{len(first + rest)}")))
            handler.end_headers()
            handler.wfile.write((b"%x\r\n" % len(first + rest) if chunked else b"") + first)
            go_on.wait(30)
            handler.wfile.write(rest + (b"\r\n0\r\n\r\n" if chunked else b""))

        self.answers.append(answer)
        return go_on

    def usual(self, handler: BaseHTTPRequestHandler) -> None:
        """The file, or the part of it that was asked for, or 404."""
        body = self.files.get(handler.path)
        if body is None:
            handler.send_error(404)
            return
        asked = handler.headers.get("Range", "")
        same = handler.headers.get("If-Range") == self.etag or not self.minds_if_range
        part = asked and self.ranges and same
        start = int(asked.removeprefix("bytes=").rstrip("-")) if part else 0
        handler.send_response(206 if part else 200)
        if part:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.send_header("Content-Length", str(len(body) - start))
        handler.send_header("ETag", self.etag)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body[start:])


@pytest.fixture
def site() -> Iterator[Site]:
    """A release site on a free port of the loopback interface."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append(dict(self.headers))
            (site.answers.pop(0) if site.answers else site.usual)(self)

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()
