"""The way in to the page: the stack's user and password, and the page itself as the only caller.

HTTP Basic as Kestra has it, and no cookie: a cookie of 127.0.0.1 is sent to every port of it, other
people's servers included. A browser sends the password with a foreign page's requests too, so a
request that names another host (DNS rebinding) or comes from another origin is answered 403 before
anything else is looked at.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, MutableMapping
from hmac import compare_digest
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HOST = "127.0.0.1"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""Of the report and its charts, which bring their style along: no script runs there at all."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
OWN_SITES = {"none", "same-origin"}
"""Of `Sec-Fetch-Site`: somebody typed the address, or the page itself asks."""


class Gate:
    """An ASGI application in front of the page."""

    def __init__(self, app: App, port: int, user: str, password: str) -> None:
        """`port`: where it is served; `user` and `password`: those of Kestra."""
        self._app = app
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._credentials = f"{user}:{password}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer it here."""
        if scope["type"] != "http":
            raise RuntimeError(f"the page does not speak {scope['type']}")

        async def protected(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(headers)
        await (refusal or self._app)(scope, receive, protected)

    def _refusal(self, headers: dict[bytes, str]) -> Response | None:
        if headers.get(b"host") not in self._hosts:
            return PlainTextResponse("this page answers to 127.0.0.1 only", 403)
        foreign = headers.get(b"origin", next(iter(self._origins))) not in self._origins
        if foreign or headers.get(b"sec-fetch-site", "none") not in OWN_SITES:
            words = "this page does not answer to other pages: type its address yourself"
            return PlainTextResponse(words, 403)
        if not self._known(headers.get(b"authorization", "")):
            challenge = {"WWW-Authenticate": 'Basic realm="taxistack", charset="UTF-8"'}
            words = "user and password are Kestra's: `invoke status --env` prints them"
            return PlainTextResponse(words, 401, challenge)
        return None

    def _known(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        try:
            given = base64.b64decode(token.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and compare_digest(given, self._credentials)
