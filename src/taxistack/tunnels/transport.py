"""How the Kestra client's requests travel on Google Cloud: httpx transports."""

from __future__ import annotations

import httpx

from taxistack.errors import MissingError
from taxistack.tunnels.tunnel import Tunnel


class TunnelTransport(httpx.HTTPTransport):
    """Sends requests through a tunnel; opens it first, and again when it has died."""

    def __init__(self, tunnel: Tunnel) -> None:
        """`tunnel`: its local port is the client's address; who made it closes it."""
        super().__init__()
        self._tunnel = tunnel

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises what `Tunnel.ensure` raises, and httpx's errors."""
        self._tunnel.ensure()
        return super().handle_request(request)


class OverrideTransport(httpx.HTTPTransport):
    """Sends requests to the address of a setting; raises at once when nothing listens there."""

    def __init__(self, setting: str, url: str) -> None:
        """`setting`: the name of the setting that holds `url`."""
        super().__init__()
        self._named = f"setting {setting}: nothing answers at {url}"
        self._mend = (
            f"leave {setting} empty (invoke.yaml, INVOKE_TAXISTACK_{setting.upper()}): the "
            "command opens a tunnel by itself"
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises MissingError when nobody listens, else httpx's errors."""
        try:
            return super().handle_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise MissingError(self._named, hint=self._mend) from None
