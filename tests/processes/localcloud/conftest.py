"""Fixtures of the local cloud's own programs: a folder layout, and a small HTTP server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.unit.localcloud.conftest import layout

__all__ = ["layout"]


class FileServer:
    """Answers GET with what `answer(path, count)` gives; counts the requests by path."""

    def __init__(self, answer: Callable[[str, int], tuple[int, bytes, int | None]]) -> None:
        self.requests: dict[str, int] = {}
        counted = self.requests
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with lock:
                    counted[self.path] = counted.get(self.path, 0) + 1
                status, body, announced = answer(self.path, counted[self.path])
                self.send_response(status)
                self.send_header("Content-Length", str(announced or len(body)))
                page = body.startswith(b"<html>")
                self.send_header("Content-Type", "text/html" if page else "application/zip")
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = announced is not None

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., FileServer]]:
    """Start file servers that end with the test."""
    running: list[FileServer] = []

    def start(answer: Callable[[str, int], tuple[int, bytes, int | None]]) -> FileServer:
        running.append(FileServer(answer).__enter__())
        return running[-1]

    yield start
    for server in running:
        server.__exit__()
