"""Unit tests start no program and no server: what does belongs into another family."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

# What Python tells its audit hooks of (docs.python.org, "Audit events table").
EVENTS = ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "socket.bind")


class _Watch:
    """An audit hook can't be taken away again, so it asks whether a unit test runs."""

    running = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.running and event in EVENTS:
            raise AssertionError(f"{event} {arguments[:1]}: no unit test, see CONTRIBUTING.md")


_watch = _Watch()
sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def _nothing_is_started() -> Iterator[None]:
    _watch.running = True
    yield
    _watch.running = False
