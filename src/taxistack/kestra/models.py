"""What the kit reads of a server's answers. Unknown fields are kept in `raw`, never an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

TERMINAL = frozenset(
    {"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "SKIPPED", "RETRIED", "RESUBMITTED"}
)
"""States that an execution does not leave by itself (io.kestra.core.models.flows.State, 2.0.0)."""


@dataclass(frozen=True)
class Execution:
    """One run of a flow."""

    id: str
    namespace: str
    flow_id: str
    state: str
    labels: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None
    created: datetime | None = None
    trigger_id: str | None = None
    trigger_date: datetime | None = None
    parent_id: str | None = None
    loop_run: dict[str, Any] | None = None
    attempt: int = 1
    task_runs: tuple[dict[str, Any], ...] = ()
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def terminated(self) -> bool:
        """The execution has ended, well or not."""
        return self.state in TERMINAL

    @property
    def succeeded(self) -> bool:
        """It ended and nothing in it failed."""
        return self.state == "SUCCESS"

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Execution:
        """From the server's JSON; only `id` must be there."""
        state = raw.get("state") or {}
        trigger = raw.get("trigger") or {}
        variables = trigger.get("variables") or {}
        metadata = raw.get("metadata") or {}
        return cls(
            id=raw["id"],
            namespace=raw.get("namespace") or "",
            flow_id=raw.get("flowId") or "",
            state=state.get("current") or "",
            labels=_labels(raw.get("labels")),
            inputs=raw.get("inputs") or {},
            outputs=raw.get("outputs") or {},
            start=moment(state.get("startDate")),
            end=moment(state.get("endDate")),
            created=moment(metadata.get("originalCreatedDate")),
            trigger_id=trigger.get("id"),
            trigger_date=moment(variables.get("date")),
            parent_id=raw.get("parentId"),
            loop_run=raw.get("loopRun"),
            attempt=int(metadata.get("attemptNumber") or 1),
            task_runs=tuple(raw.get("taskRunList") or ()),
            raw=raw,
        )


@dataclass(frozen=True)
class LogLine:
    """One line that a task, or the engine about a task, wrote."""

    timestamp: datetime | None
    level: str
    message: str
    task_id: str | None = None
    execution_id: str | None = None
    attempt: int = 0

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> LogLine:
        """From the server's JSON."""
        return cls(
            timestamp=moment(raw.get("timestamp")),
            level=raw.get("level") or "INFO",
            message=raw.get("message") or "",
            task_id=raw.get("taskId"),
            execution_id=raw.get("executionId"),
            attempt=int(raw.get("attemptNumber") or 0),
        )


@dataclass(frozen=True)
class Trigger:
    """A trigger of a flow as the scheduler knows it."""

    namespace: str
    flow_id: str
    trigger_id: str
    disabled: bool = False
    next_date: datetime | None = None
    last_date: datetime | None = None
    execution_id: str | None = None
    backfill: dict[str, Any] | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Trigger:
        """From a search item `{trigger, state}` or from a bare state."""
        inner = raw.get("state")
        state: dict[str, Any] = inner if isinstance(inner, dict) else raw
        return cls(
            namespace=state.get("namespace") or "",
            flow_id=state.get("flowId") or "",
            trigger_id=state.get("triggerId") or "",
            disabled=bool(state.get("disabled")),
            next_date=moment(state.get("nextEvaluationDate")),
            last_date=moment(state.get("lastTriggeredDate")),
            execution_id=state.get("executionId"),
            backfill=state.get("backfill"),
            raw=raw,
        )


def moment(text: Any) -> datetime | None:
    """An ISO instant of the server; None for anything else. Nanoseconds are cut."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _labels(raw: Any) -> dict[str, str]:
    if isinstance(raw, dict):
        return {str(key): str(value) for key, value in raw.items()}
    return {pair["key"]: str(pair.get("value")) for pair in raw or () if "key" in pair}
