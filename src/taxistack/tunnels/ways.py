"""The ways to a stack's two servers: what the settings name, else tunnels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from taxistack.settings import Settings
from taxistack.tunnels.gcloud import VmAddress
from taxistack.tunnels.standing import Kept, kept
from taxistack.tunnels.transport import OverrideTransport, TunnelTransport
from taxistack.tunnels.tunnel import Tunnel

KESTRA_PORT, POSTGRES_PORT = 8080, 5432
"""Where the VM publishes the servers (infra/kestra/compose.yaml)."""


class Ways:
    """How one command reaches Kestra and PostgreSQL on the VM.

    A `lasting` address is one that answers after the command too: a setting names it, or a
    running `invoke tunnel` holds it open.
    """

    def __init__(self, settings: Settings, folder: Path, vm: Callable[[], VmAddress]) -> None:
        """`folder` keeps the file of `invoke tunnel`; `vm` says where the servers are.

        `vm` is asked when the first tunnel is needed; what it raises passes through.
        """
        self.file = folder / f"tunnels-{settings.name}.json"
        self._settings = settings
        self._vm = vm
        self._tunnels: dict[int, Tunnel] = {}

    def tunnel(self, port: int, local_port: int = 0) -> Tunnel:
        """The tunnel to a port of the VM, open or not.

        `local_port` counts when the tunnel is asked for the first time; 0: a free one.
        """
        if port not in self._tunnels:
            self._tunnels.setdefault(port, Tunnel(self._vm(), port, local_port))
        return self._tunnels[port]

    def close(self) -> None:
        """Close this command's tunnels."""
        while self._tunnels:
            self._tunnels.popitem()[1].close()

    def _kept(self) -> Kept | None:
        return kept(self.file)

    # --- Kestra ---------------------------------------------------------------------------

    @property
    def kestra_named(self) -> str:
        """The address that the setting names, or nothing."""
        return self._settings.kestra_url.rstrip("/")

    def kestra_url(self) -> str:
        """Where Kestra answers now. Raises what `Tunnel.ensure` raises."""
        return self.kestra_named or _url(self.tunnel(KESTRA_PORT).ensure())

    def lasting_kestra_url(self) -> str | None:
        """Where Kestra answers after the command too."""
        if self.kestra_named:
            return self.kestra_named
        held = self._kept()
        return _url(held.kestra_port) if held else None

    def kestra_transport(self) -> httpx.BaseTransport:
        """How the client's requests go there."""
        if self.kestra_named:
            return OverrideTransport("kestra_url", self.kestra_named)
        return TunnelTransport(self.tunnel(KESTRA_PORT))

    # --- PostgreSQL -----------------------------------------------------------------------

    @property
    def postgres_named(self) -> bool:
        """Whether settings name an address."""
        return bool(self._settings.postgres_host or self._settings.postgres_port)

    def postgres_address(self) -> dict[str, Any]:
        """Where PostgreSQL answers now. Raises what `Tunnel.ensure` raises."""
        if self.postgres_named:
            port = self._settings.postgres_port or POSTGRES_PORT
            return _address(port, self._settings.postgres_host)
        return _address(self.tunnel(POSTGRES_PORT).ensure())

    def lasting_postgres_address(self) -> dict[str, Any] | None:
        """Where PostgreSQL answers after the command too."""
        if self.postgres_named:
            return self.postgres_address()
        held = self._kept()
        return _address(held.postgres_port) if held else None


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _address(port: int, host: str = "") -> dict[str, Any]:
    return {"host": host or "127.0.0.1", "port": port, "dbname": "taxi", "user": "taxi"}
