"""The client: one server, its version checked, its resources as attributes."""

from __future__ import annotations

import httpx

from taxistack.errors import MissingError
from taxistack.kestra.executions import Executions
from taxistack.kestra.flows import Flows
from taxistack.kestra.http import Http
from taxistack.kestra.namespaces import KeyValues, NamespaceFiles
from taxistack.kestra.observe import Files, Logs, Outputs
from taxistack.kestra.triggers import Triggers

SUPPORTED_MAJOR = 2


class KestraClient:
    """A Kestra 2 server, open-source edition, tenant `main`.

    Thin on purpose: the calls that the kit makes, in Kestra 2.0's dialect, tolerant of fields that
    it does not know. Reads are tried again when the server is away for a moment; writes are sent
    once. Failures are the exceptions of `taxistack.kestra.problems`.
    """

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        transport: httpx.BaseTransport | None = None,
        *,
        retry_wait: float = 0.2,
    ) -> None:
        """Connects to nothing yet.

        `transport`: httpx transport, the seam for tests. `retry_wait`: first pause in seconds
        before a read is tried again; it doubles.
        """
        self.url = url.rstrip("/")
        http = Http(self.url, user, password, transport, retry_wait=retry_wait)
        self._http = http
        http.first = self.version
        self.flows = Flows(http)
        self.executions = Executions(http)
        self.logs = Logs(http, self.executions)
        self.outputs = Outputs(http)
        self.files = Files(http)
        self.kv = KeyValues(http)
        self.namespace_files = NamespaceFiles(http)
        self.triggers = Triggers(http)

    def ready(self) -> str:
        """The server's release, asked for with a call that also proves user and password.

        Raises `Unauthorized` when they are not the server's, `MissingError` as `version` does.
        """
        version = self.version()
        self._http.json("main/flows/search", "log in", [("page", "1"), ("size", "1")])
        return version

    def version(self) -> str:
        """The server's release, such as "2.0.0"; a server tells it without a password.

        Raises `MissingError` for another major release: its calls differ (a 1.x server has other
        paths for actions, triggers and outputs, and another flow language).
        """
        configs = self._http.json("configs", "ask Kestra for its version")
        version = str(configs.get("version") or "")
        if version.split(".")[0].lstrip("v") != str(SUPPORTED_MAJOR):
            raise MissingError(
                f"Kestra at {self.url} is version {version or 'unknown'}; "
                f"taxistack speaks to Kestra {SUPPORTED_MAJOR}.x",
                hint="upgrade the server to a 2.0 release",
            )
        return version

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> KestraClient:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()
