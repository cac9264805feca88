"""A `gcloud` on PATH that relays ports, a VM behind it, and the target that goes through it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from tests.conftest import settings_of
from tests.gcp.fake_gcloud import FakeGcloud

INSTANCE = "taxistack-kestra"


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcloud]:
    """The program, on PATH; no process of it may be left when the test has ended."""
    fake = FakeGcloud(tmp_path / "sdk")
    monkeypatch.setenv("PATH", fake.path)
    yield fake
    assert gone(fake.pids())


class _Kestra(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"version": "2.0.0"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(gcloud: FakeGcloud) -> Iterator[ThreadingHTTPServer]:
    """An HTTP server that answers as Kestra's version does, at the VM's port 8080."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Kestra)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    gcloud.serve(INSTANCE, p8080=made.server_port)
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def gcp_target(state: Path, **overrides: object):
    """Target gcp as after `up`: what Terraform and Secret Manager know is there."""
    from taxistack.targets import open_target

    target = open_target(settings_of(state, target="gcp", project="some-project", **overrides))
    target.__dict__["outputs"] = SimpleNamespace(
        instance=INSTANCE, zone="z", project="some-project", bucket="lake", dataset="trips"
    )
    target.read_secret = lambda _: "Secret-of-the-stack1"
    return target


@pytest.fixture
def target(tmp_path: Path, server: ThreadingHTTPServer):
    """The target, its VM running; what it opened is closed after the test."""
    made = gcp_target(tmp_path / "state")
    yield made
    made.forget()


def gone(pids: list[int], seconds: float = 10.0) -> bool:
    """Whether all of these processes end, if need be after a while.

    One that has ended may wait for a parent that does not ask, such as a container's first.
    """
    give_up = time.monotonic() + seconds
    while any(map(_runs, pids)):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def with_path(fake: FakeGcloud) -> dict[str, str]:
    """The environment of a child process that finds the program."""
    return {**os.environ, "PATH": fake.path}
