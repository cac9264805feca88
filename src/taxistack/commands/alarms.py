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
    found = client.executions.search(
        namespace=NAMESPACE,
        flow_id=ALARM_FLOW,
        start_after=(now or datetime.now(UTC)) - timedelta(days=DAYS),
        page_size=most,
        limit=most,
    )
    return [
        {
            "execution": one.id,
            "start": moment(one.start),
            "kind": one.labels.get("alarm", ""),
            "text": " ".join(one.labels.get("what", "").split()),
            "told": one.state in ("SUCCESS", "WARNING"),
        }
        for one in found
    ]
