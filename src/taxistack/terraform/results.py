"""What Terraform says on its way (`-json` lines), and what came of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Event:
    """One line of a `-json` stream.

    `type` is Terraform's word (`planned_change`, `apply_start`, `apply_complete`, `diagnostic`,
    …), or `text` for a line that is no JSON. `data` is the whole line as it came.
    """

    type: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, line: str) -> Event:
        """Read one line; what is not understood becomes `text`."""
        try:
            data = json.loads(line)
        except ValueError:
            return cls("text", line)
        if not isinstance(data, dict):
            return cls("text", line)
        return cls(str(data.get("type", "text")), str(data.get("@message", "")), data)

    @property
    def address(self) -> str:
        """The resource that the event is about, or an empty string."""
        return _resource(self.data).get("addr", "")

    @property
    def action(self) -> str:
        """`create`, `update`, `delete`, `replace`, … or an empty string."""
        part = self.data.get("change") or self.data.get("hook") or {}
        return str(part.get("action", ""))


def _resource(data: Mapping[str, Any]) -> dict[str, str]:
    part = data.get("change") or data.get("hook") or {}
    return part.get("resource") or {}


@dataclass(frozen=True)
class Change:
    """One planned change. `action`: create, update, replace, delete, import, move, forget."""

    address: str
    type: str
    action: str
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """A plan, saved in `path` when that was asked for."""

    path: Path | None
    changes: tuple[Change, ...]
    drift: tuple[Change, ...]
    """What was changed behind Terraform's back since the last apply."""
    outputs: tuple[str, ...]
    """Names of the outputs that change."""
    any: bool
    """False when there is nothing to do (Terraform's own word, so outputs count)."""
    destroy: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Number of changes by action."""
        return dict(Counter(change.action for change in self.changes))

    def describe(self) -> str:
        """One line: `33 to create`, or `no changes`."""
        parts = [f"{number} to {action}" for action, number in self.counts.items()]
        if self.any and not parts:
            parts = [f"outputs {', '.join(self.outputs)} change" if self.outputs else "changes"]
        return ", ".join(parts) or "no changes"

    def as_json(self) -> dict[str, Any]:
        """For `--json`: what would change, what has drifted, and which outputs change."""
        return {
            "any": self.any,
            "changes": [asdict(change) for change in self.changes],
            "drift": [asdict(change) for change in self.drift],
            "outputs": list(self.outputs),
        }


@dataclass(frozen=True)
class Applied:
    """One resource that was changed, and the seconds that it took."""

    address: str
    type: str
    action: str
    seconds: float
    id: str = ""


@dataclass(frozen=True)
class ApplyResult:
    """What an apply did, in the order in which things were done."""

    resources: tuple[Applied, ...]
    outputs: dict[str, Any]
    """Outputs by name; the values of sensitive ones are absent."""

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by address; a replacement's two halves are added up."""
        total: dict[str, float] = {}
        for resource in self.resources:
            total[resource.address] = total.get(resource.address, 0.0) + resource.seconds
        return total


def plan_of(events: Iterable[Event], path: Path | None, changed: bool, destroy: bool) -> Plan:
    """Gather a plan's events."""
    events = list(events)
    outputs: tuple[str, ...] = ()
    for event in events:
        if event.type == "outputs":
            values = event.data.get("outputs") or {}
            outputs = tuple(n for n, v in values.items() if v.get("action", "noop") != "noop")
    return Plan(
        path=path,
        changes=_changes(events, "planned_change"),
        drift=_changes(events, "resource_drift"),
        outputs=outputs,
        any=changed,
        destroy=destroy,
    )


def _changes(events: list[Event], kind: str) -> tuple[Change, ...]:
    return tuple(
        Change(
            address=event.address,
            type=_resource(event.data).get("resource_type", ""),
            action=event.action,
            reason=str(event.data["change"].get("reason", "")),
        )
        for event in events
        if event.type == kind
    )


def apply_of(events: Iterable[Event]) -> ApplyResult:
    """Gather an apply's events; the seconds are those between a resource's start and its end."""
    started: dict[tuple[str, str], str] = {}
    done: list[Applied] = []
    outputs: dict[str, Any] = {}
    for event in events:
        key = (event.address, event.action)
        if event.type == "apply_start":
            started[key] = event.data["@timestamp"]
        elif event.type == "apply_complete":
            done.append(
                Applied(
                    address=event.address,
                    type=_resource(event.data).get("resource_type", ""),
                    action=event.action,
                    seconds=_seconds(started.get(key), event),
                    id=str(event.data["hook"].get("id_value", "")),
                )
            )
        elif event.type == "outputs":
            values = event.data.get("outputs") or {}
            outputs = {n: v["value"] for n, v in values.items() if "value" in v}
    return ApplyResult(tuple(done), outputs)


def _seconds(start: str | None, end: Event) -> float:
    if start is None:
        return float(end.data["hook"].get("elapsed_seconds", 0))
    times = [datetime.fromisoformat(text) for text in (start, end.data["@timestamp"])]
    return (times[1] - times[0]).total_seconds()
