"""Whom a Kestra server's HTTPS is trusted by: httpx's own choice, read when it is needed.

A client of httpx reads all certificates of the world when it is made, a tenth of a command's start,
also for a server that speaks HTTP.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable
from typing import Any

import httpx

_READING = threading.Lock()


class Trust(ssl.SSLContext):
    """For a client's `verify`: reads what httpx trusts at the first connection that is encrypted.

    `trust_env`: as the client's: SSL_CERT_FILE and SSL_CERT_DIR count.
    """

    _trust_env: bool
    _protocols: Iterable[str] = ()
    _read: ssl.SSLContext | None = None

    def __new__(cls, *, trust_env: bool) -> Trust:
        """Nothing is read yet."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made._trust_env = trust_env
        return made

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Kept for what is read later."""
        self._protocols = alpn_protocols

    def wrap_socket(self, *args: Any, **more: Any) -> ssl.SSLSocket:
        """As it says there."""
        return self._usual().wrap_socket(*args, **more)

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        """As it says there."""
        return self._usual().wrap_bio(*args, **more)

    def _usual(self) -> ssl.SSLContext:
        with _READING:
            if self._read is None:
                self._read = httpx.create_ssl_context(trust_env=self._trust_env)
                self._read.set_alpn_protocols(self._protocols)
            return self._read
