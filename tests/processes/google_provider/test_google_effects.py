"""Effects on an emulator that is still starting, without a local cloud."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from localcloud import ports
from localcloud.google.effects import Dataset
from localcloud.google.errors import ApiError


class Answers(BaseHTTPRequestHandler):
    """Says which call it was."""

    def do_GET(self) -> None:
        body = json.dumps({"key": self.headers["Authorization"], "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


class Starting:
    """A local cloud whose warehouse listens when it was waited for, or does not come."""

    def __init__(self, comes: bool) -> None:
        (self.port,) = ports.assign(["warehouse"], {}).values()
        self.comes, self.waited = comes, []
        self.server: ThreadingHTTPServer | None = None

    def state(self) -> SimpleNamespace:
        return SimpleNamespace(key="the key")

    def wait(self, *names: str) -> None:
        self.waited += names
        if self.comes:
            self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Answers)
            threading.Thread(target=self.server.serve_forever).start()

    def close(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()


def test_an_emulator_that_is_not_there_yet_is_waited_for():
    cloud = Starting(comes=True)
    try:
        answer = Dataset(cloud).send("GET", f"http://127.0.0.1:{cloud.port}/datasets/x")
    finally:
        cloud.close()
    assert answer == {"key": "Bearer the key", "path": "/datasets/x"}
    assert cloud.waited == ["warehouse"]


def test_one_that_does_not_come_is_told():
    cloud = Starting(comes=False)
    with pytest.raises(ApiError, match="the emulator does not answer"):
        Dataset(cloud).send("GET", f"http://127.0.0.1:{cloud.port}/datasets/x")
    assert cloud.waited == ["warehouse"]
