"""A call of one of the local cloud's own servers: plain HTTP here, with its key as a token."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

_SECONDS = 30.0
# Trusts nobody, and is not asked to: httpx reads the list of authorities for each call without it,
# which takes ten times as long as the call.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def call(method: str, url: str, key: str, body: Any = None) -> httpx.Response:
    """Its answer, whatever it is. Raises httpx.TransportError when there is none.

    `key`: the local cloud's. `body`: sent as JSON unless None. The user's proxy is not asked.
    """
    return httpx.request(
        method,
        url,
        json=body,
        headers={"Authorization": f"Bearer {key}"},
        timeout=_SECONDS,
        trust_env=False,
        verify=_NO_TLS,
    )
