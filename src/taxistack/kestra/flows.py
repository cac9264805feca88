"""Flows: create, update, read, validate, delete."""

from __future__ import annotations

import builtins
from typing import Any

from taxistack.kestra.filters import equals, pages
from taxistack.kestra.http import Http
from taxistack.kestra.problems import NotFound

_YAML = "application/x-yaml"


class Flows:
    """The flows of a server; a flow goes out as its YAML source and comes back as a dict."""

    def __init__(self, http: Http) -> None:
        """`http`: the server."""
        self._http = http

    def create(self, source: str) -> dict[str, Any]:
        """Store a new flow. Raises `Conflict` when it exists, `Invalid` when it breaks a rule."""
        flow: dict[str, Any] = self._http.send_json(
            "POST", "main/flows", "create flow", content=source.encode(), content_type=_YAML
        )
        return flow

    def update(self, namespace: str, flow_id: str, source: str) -> dict[str, Any]:
        """Replace the flow's source; an equal source makes no new revision."""
        flow: dict[str, Any] = self._http.send_json(
            "PUT",
            f"main/flows/{namespace}/{flow_id}",
            f"update flow {namespace}.{flow_id}",
            content=source.encode(),
            content_type=_YAML,
        )
        return flow

    def get(self, namespace: str, flow_id: str) -> dict[str, Any] | None:
        """The flow with its `source` and `revision`; None when there is none."""
        try:
            flow: dict[str, Any] = self._http.json(
                f"main/flows/{namespace}/{flow_id}",
                f"read flow {namespace}.{flow_id}",
                [("source", "true")],
            )
            return flow
        except NotFound:
            return None

    def graph(self, namespace: str, flow_id: str) -> dict[str, Any]:
        """The flow's tasks as `nodes`, `edges` and `clusters`; raises `NotFound`."""
        step = f"read the graph of {namespace}.{flow_id}"
        graph: dict[str, Any] = self._http.json(f"main/flows/{namespace}/{flow_id}/graph", step)
        return graph

    def list(self, namespace: str) -> builtins.list[dict[str, Any]]:
        """The flows of exactly this namespace."""
        step = f"list flows of {namespace}"
        flows: builtins.list[dict[str, Any]] = self._http.json(f"main/flows/{namespace}", step)
        return flows

    def search(
        self, *, namespace: str | None = None, flow_id: str | None = None, size: int = 100
    ) -> builtins.list[dict[str, Any]]:
        """Flows by namespace and id, all pages."""
        filters = equals("namespace", namespace) + equals("flowId", flow_id)
        return [*pages(self._http, "main/flows/search", "search flows", filters, size=size)]

    def validate(self, source: str) -> builtins.list[str]:
        """Why the server would refuse this source; empty when it would take it."""
        answer = self._http.send_json(
            "POST",
            "main/flows/validate",
            "validate flow",
            content=source.encode(),
            content_type=_YAML,
        )
        return [
            str(report["constraints"]).strip() for report in answer if report.get("constraints")
        ]

    def delete(self, namespace: str, flow_id: str) -> None:
        """Remove a flow; raises `NotFound`."""
        step = f"delete flow {namespace}.{flow_id}"
        self._http.send("DELETE", f"main/flows/{namespace}/{flow_id}", step)
