"""One GET to a server of this machine: with which status it answers, if it does."""

from __future__ import annotations

import base64
import contextlib
import http.client
from collections.abc import Mapping

from localcloud.ports import HOST


def status(port: int, path: str, headers: Mapping[str, str], seconds: float = 2) -> int | None:
    """The status of the answer; None when there is none, or not in time."""
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path, headers=dict(headers))
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None


def login(user: str, password: str) -> dict[str, str]:
    """The header that says who asks (HTTP Basic)."""
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {word}"}
