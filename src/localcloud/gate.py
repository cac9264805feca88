"""The way in to the parts that have no login of their own: a secret, and the caller's own machine.

A part answers only to who knows the key of this local cloud. Google's clients carry it unchanged:
as the first step of the path, because they append their paths to the endpoint
(`http://127.0.0.1:PORT/<key>/storage/v1/…`), or as a bearer token (Terraform, whose client reads
objects from the root of the host). Everybody else is answered 401, without a word of what is here.

A web page is kept out even if it had the key: a request that names another host (DNS rebinding) or
comes from a page (`Origin`) is answered 403, and no answer allows a foreign page to read it.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from localcloud.layout import Layout, write_private
from localcloud.ports import HOST

if TYPE_CHECKING:  # an operator of Google Cloud alone has no server's packages
    from starlette.responses import Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

READY = "/ready"
"""Answers 204 without the key once the part serves: it tells nothing but that."""


def key(layout: Layout) -> str:
    """The key of the local cloud in `layout`, made at the first call."""
    path = layout.private / "endpoint.key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii")


def url(layout: Layout, port: int) -> str:
    """The endpoint of a part behind the gate, with the key in it: a secret."""
    return f"{address(port)}/{key(layout)}"


def address(port: int) -> str:
    """The same without the key; who uses it sends the key as a bearer token."""
    return f"http://{HOST}:{port}"


class Gate:
    """An ASGI application in front of another one."""

    def __init__(self, app: App, key: str | None, port: int) -> None:
        """`app` sees the key as its `root_path`, so that the links it makes have it too.

        None: everybody on this machine may come in, but for web pages.
        """
        self._app, self._key = app, key
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer it here."""
        if scope["type"] != "http":
            raise RuntimeError(f"no part behind the gate speaks {scope['type']}")
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if headers.get(b"host") not in self._hosts:
            answer = _refused(403, "this server answers to 127.0.0.1 only")
        elif b"origin" in headers or headers.get(b"sec-fetch-site", "none") != "none":
            answer = _refused(403, "this server does not answer to web pages")
        elif scope["path"] == READY:
            answer = _ready()
        elif (prefix := self._prefix(scope["path"], headers)) is None:
            answer = _refused(401, "no key: the endpoint that `invoke status --env` prints has it")
        else:
            await self._app({**scope, "root_path": prefix}, receive, send)
            return
        await answer(scope, receive, send)

    def _prefix(self, path: str, headers: dict[bytes, str]) -> str | None:
        """The part of the path that carried the key; None when nothing carried it."""
        if self._key is None:
            return ""
        first = path.split("/", 2)[1] if path.startswith("/") else ""
        if self._is_key(first):
            return f"/{self._key}"
        scheme, _, token = headers.get(b"authorization", "").partition(" ")
        return "" if scheme.lower() == "bearer" and self._is_key(token.strip()) else None

    def _is_key(self, text: str) -> bool:
        return compare_digest(text.encode(), (self._key or "").encode())


def _ready() -> Response:
    from starlette.responses import Response

    return Response(status_code=204)


def _refused(code: int, message: str) -> Response:
    """The shape that Google's clients read."""
    from starlette.responses import JSONResponse

    error = {"code": code, "message": message, "errors": [{"message": message}]}
    return JSONResponse({"error": error}, code, {"Connection": "close"})
