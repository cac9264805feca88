"""Triggers: which there are, switching them, and running the ticks of a range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from starlette.requests import Request

from taxistack.errors import UsageError
from taxistack.kestra import KestraClient
from taxistack.page.flows import trigger

MOST_YEARS = 20


def listed(client: KestraClient) -> list[dict[str, Any]]:
    """Every trigger, by flow and name."""
    triggers = client.triggers.search()
    triggers.sort(key=lambda each: (each.namespace, each.flow_id, each.trigger_id))
    return [trigger(each) for each in triggers]


def act(client: KestraClient, request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the path's last part says.

    `body`: of a backfill `start` and `end`, days of UTC, both whole. Raises UsageError for an
    action or a range that is none.
    """
    place = (
        request.path_params["namespace"],
        request.path_params["flow"],
        request.path_params["trigger"],
    )
    triggers, action = client.triggers, request.path_params["action"]
    calls: dict[str, Callable[[], None]] = {
        "enable": lambda: triggers.set_disabled(*place, False),
        "disable": lambda: triggers.set_disabled(*place, True),
        "backfill": lambda: triggers.backfill(*place, *_range(body)),
        "pause": lambda: triggers.pause_backfill(*place),
        "continue": lambda: triggers.unpause_backfill(*place),
        "give-up": lambda: triggers.delete_backfill(*place),
    }
    if action not in calls:
        raise UsageError(f"there is no action {action}: one of {', '.join(calls)}")
    calls[action]()
    return {}


def _range(body: Mapping[str, Any]) -> tuple[datetime, datetime]:
    start, end = (_day(name, body.get(name)) for name in ("start", "end"))
    if end < start:
        raise UsageError(f"last day {end} is before first day {start}")
    if end > datetime.now(UTC).date():
        raise UsageError(f"last day {end} has not come yet")
    if end.year - start.year > MOST_YEARS:  # a year of two digits, of the first century
        raise UsageError(f"{start} to {end} are more than {MOST_YEARS} years")
    return (
        datetime.combine(start, time.min, UTC),
        datetime.combine(end, time(23, 59, 59), UTC),
    )


def _day(name: str, text: Any) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise UsageError(f"{name}: must be a day, YYYY-MM-DD") from None
