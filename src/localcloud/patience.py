"""Connections that never say what they want are closed: they would take the part's files away.

Whoever is on this machine may connect, the key is asked for later. uvicorn has a limit for a
connection that rests between two requests and none for a request that does not come, or comes
byte by byte.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 30.0
"""How long the head of a request may take from its first byte, or from the connection on."""

_Protocol: Any = AutoHTTPProtocol


class Patient(_Protocol):  # type: ignore[misc]
    """uvicorn's own protocol with that limit."""

    _given_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop waiting when a head is whole; a byte of the next one begins a new wait."""
        self._wait()
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before or self._answering():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing to wait for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        if self._given_up is None and not self._answering():
            self._given_up = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None
