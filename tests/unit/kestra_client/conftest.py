"""A client whose server is a function of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from taxistack.kestra import KestraClient

URL = "http://kestra.test:8080"
SECRET = "Swordfish-42"

Answer = httpx.Response | Exception


class Server:
    """Answers each call with the first rule that fits, and remembers what was asked."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.rules: dict[tuple[str, str], list[Answer]] = {}
        self.on("GET", "configs", json={"version": "2.0.4", "edition": "OSS"})

    def on(self, verb: str, path: str, status: int = 200, **body: Any) -> Server:
        """Answer `verb path` so; several rules are used up in order, the last one stays."""
        return self._add(verb, path, httpx.Response(status, **body))

    def breaks(self, verb: str, path: str, error: Exception) -> Server:
        """Fail on the way instead of answering."""
        return self._add(verb, path, error)

    def _add(self, verb: str, path: str, answer: Answer) -> Server:
        key = (verb, f"/api/v1/{path}")
        self.rules.setdefault(key, []).append(answer)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        rules = self.rules.get((request.method, request.url.path))
        if not rules:
            return httpx.Response(404, json={"title": "Not found", "detail": str(request.url.path)})
        answer = rules.pop(0) if len(rules) > 1 else rules[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def sent(self, verb: str, path: str) -> list[httpx.Request]:
        """The requests of this kind, in order."""
        return [
            one for one in self.requests if (one.method, one.url.path) == (verb, f"/api/v1/{path}")
        ]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def client(server: Server) -> Iterator[KestraClient]:
    with KestraClient(
        URL, "admin@kestra.io", SECRET, httpx.MockTransport(server), retry_wait=0.001
    ) as made:
        yield made


@pytest.fixture
def connect(server: Server) -> Callable[[], KestraClient]:
    """A second client of the same server, for tests that want a fresh one."""
    return lambda: KestraClient(URL, "a", SECRET, httpx.MockTransport(server), retry_wait=0.001)
