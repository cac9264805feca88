"""Release sites in memory: what a function answers comes to the client as if off the wire."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse


@dataclass(frozen=True)
class Answer:
    """An answer; its body comes piece by piece, each when it is read."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Iterable[bytes] = ()


class InMemory(HTTPAdapter):
    """The transport of a client: `site` answers each request, or raises what the network would."""

    def __init__(self, site: Callable[[requests.PreparedRequest], Answer]) -> None:
        super().__init__()
        self._site = site

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        answer = self._site(request)
        raw = HTTPResponse(
            body=_Body(iter(() if request.method == "HEAD" else answer.body)),
            headers=answer.headers,
            status=answer.status,
            reason=http.client.responses.get(answer.status, ""),
            preload_content=False,
            decode_content=False,
            request_method=request.method,
        )
        return self.build_response(request, raw)


def path(request: requests.PreparedRequest) -> str:
    """What is asked for."""
    return urlsplit(request.url or "").path


class _Body:
    """As urllib3 reads the socket's file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.closed = False

    def read1(self, _: int) -> bytes:
        return next(self._pieces, b"")

    def read(self, _: int | None = None) -> bytes:
        return b"".join(self._pieces)

    def close(self) -> None:
        self.closed = True
