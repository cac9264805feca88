"""What the flow `alarm` told: failed, stuck and missed months, for `status`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from taxistack.console import moment
from taxistack.targets import NAMESPACE

if TYPE_CHECKING:
    from taxistack.kestra import KestraClient

ALARM_FLOW = "alarm"
"""The one place where a failed, stuck or missed month is told (flows/alarm.yaml)."""
DAYS = 7


def last_alarms(
    client: KestraClient, most: int, now: datetime | None = None
) -> list[dict[str, Any]]:
    """The alarms of the last days, newest first; `posted`: whether the channel took it."""
    executions = client.executions.search(
        namespace=NAMESPACE,
        flow_id=ALARM_FLOW,
        start_after=(now or datetime.now(UTC)) - timedelta(days=DAYS),
        page_size=most,
        limit=most,
    )
    return [
        {
            "execution": execution.id,
            "start": moment(execution.start),
            "kind": execution.labels.get("alarm", ""),
            "text": " ".join(execution.labels.get("what", "").split()),
            "told": execution.state in ("SUCCESS", "WARNING"),
        }
        for execution in executions
    ]
