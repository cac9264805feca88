"""Triggers and their backfills.

Kestra changes triggers through an event queue, so what it answers can be a moment old: read again
until the change shows. The scheduler makes a trigger's row a moment after its flow was saved; until
then a backfill answers 404, which `backfill` waits out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from taxistack.errors import UsageError
from taxistack.kestra.filters import equals, pages
from taxistack.kestra.http import Http
from taxistack.kestra.models import Trigger
from taxistack.kestra.problems import NotFound


class Triggers:
    """The triggers of a server."""

    def __init__(self, http: Http) -> None:
        """`http`: the server."""
        self._http = http

    def search(
        self, *, namespace: str | None = None, flow_id: str | None = None, size: int = 100
    ) -> list[Trigger]:
        """Triggers of a namespace, of a flow, or all."""
        filters = equals("namespace", namespace) + equals("flowId", flow_id)
        triggers = pages(self._http, "main/triggers/search", "search triggers", filters, size=size)
        return [Trigger.parse(trigger) for trigger in triggers]

    def set_disabled(self, namespace: str, flow_id: str, trigger_id: str, disabled: bool) -> None:
        """Switch a trigger off or on; raises `NotFound`."""
        body = {**_ids(namespace, flow_id, trigger_id), "disabled": disabled}
        self._put("set-disabled", body, f"{'disable' if disabled else 'enable'} {trigger_id}")

    def backfill(
        self,
        namespace: str,
        flow_id: str,
        trigger_id: str,
        start: datetime,
        end: datetime,
        *,
        inputs: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        appear: float = 10.0,
    ) -> None:
        """Run every tick of the trigger from `start` to `end`, both included.

        Both instants need a time zone. The server checks neither their order nor whether the
        trigger is enabled, so a wrong order raises `UsageError` here. `appear`: seconds that a
        trigger saved just now gets to show up. Raises `Conflict` while another backfill runs.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise UsageError(f"backfill of {trigger_id}: start and end need a time zone")
        if start > end:
            raise UsageError(f"backfill of {trigger_id}: start {start} is after end {end}")
        plan = {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "inputs": dict(inputs or {}),
            "labels": [{"key": key, "value": value} for key, value in (labels or {}).items()],
        }
        body = {**_ids(namespace, flow_id, trigger_id), "backfill": plan}
        for attempt in Retrying(
            retry=retry_if_exception_type(NotFound),
            stop=stop_after_delay(appear),
            wait=wait_fixed(0.25),
            reraise=True,
        ):
            with attempt:
                self._put("backfill/create", body, f"backfill {trigger_id} of {flow_id}")

    def pause_backfill(self, namespace: str, flow_id: str, trigger_id: str) -> None:
        """Hold the backfill where it is; without one this changes nothing."""
        ids = _ids(namespace, flow_id, trigger_id)
        self._put("backfill/pause", ids, f"pause the backfill of {trigger_id}")

    def unpause_backfill(self, namespace: str, flow_id: str, trigger_id: str) -> None:
        """Let a held backfill go on."""
        ids = _ids(namespace, flow_id, trigger_id)
        self._put("backfill/unpause", ids, f"unpause the backfill of {trigger_id}")

    def delete_backfill(self, namespace: str, flow_id: str, trigger_id: str) -> None:
        """Give the backfill up; runs that it started go on."""
        self._http.send(
            "POST",
            "main/triggers/backfill/delete",
            f"delete the backfill of {trigger_id}",
            json=_ids(namespace, flow_id, trigger_id),
        )

    def _put(self, action: str, body: dict[str, Any], step: str) -> None:
        self._http.send("PUT", f"main/triggers/{action}", step, json=body)


def _ids(namespace: str, flow_id: str, trigger_id: str) -> dict[str, str]:
    return {"namespace": namespace, "flowId": flow_id, "triggerId": trigger_id}
