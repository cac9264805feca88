"""`run`, `executions` and `cancel`: flows started, looked at and ended from a terminal."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from taxistack.backfill.executions import BACKFILL_FLOW, Executions
from taxistack.commands.logs import log_lines
from taxistack.console import Console, counted, moment, table
from taxistack.errors import FailedError, UsageError
from taxistack.kestra import Execution, KestraClient, NotFound
from taxistack.targets import NAMESPACE, Target

FAILED = ("FAILED", "KILLED", "CANCELLED")
FINE = ("SUCCESS", "WARNING", "SKIPPED")
SINCE = re.compile(r"(\d+)([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
ENDING_S = 60.0
"""How long a cancelled execution may take to end: the processes of its tasks are waited for."""
POLL_S = 0.5


# --- run ------------------------------------------------------------------------------------------


def run(target: Target, console: Console, *, flow: str, inputs: Sequence[str]) -> None:
    """Start a flow, wait for its end, print state, outputs and log.

    `inputs`: `name=value` each; of an input of type FILE the value is a path. Raises UsageError
    for a flow or an input that there is not, FailedError when the execution did not end well.
    """
    client = target.kestra()
    given, files = _inputs(_flow(client, flow), inputs)
    execution = client.executions.create(NAMESPACE, flow, inputs=given, files=files)
    console.say(f"{NAMESPACE}.{flow}: execution {execution.id}")
    try:
        execution = client.executions.wait(execution.id)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"execution {execution.id} goes on in Kestra; invoke cancel {execution.id} ends it"
        ) from None
    outputs = client.outputs.flow(execution.id)
    log = client.logs(execution.id)
    for line in log_lines(log):
        console.say(line)
    rows = [(name, _value(value)) for name, value in outputs.items()]
    console.result(
        table("Outputs", ["output", "value"], rows) if rows else None,
        {
            **_json(execution),
            "outputs": outputs,
            "log": [vars(line) for line in log],
        },
    )
    if execution.state not in FINE:
        reason = Executions(client).reason(execution.id, execution.end)
        raise FailedError(
            f"{flow} ended {execution.state}: {reason}",
            hint=f"invoke logs --execution {execution.id}",
        )
    console.summary(f"{flow} ended {execution.state} in {_seconds(execution)} ({execution.id})")


def _flow(client: KestraClient, name: str) -> Mapping[str, Any]:
    flow = client.flows.get(NAMESPACE, name)
    if flow is not None:
        return flow
    names = sorted(flow["id"] for flow in client.flows.list(NAMESPACE))
    near = difflib.get_close_matches(name, names, 1)
    raise UsageError(
        f"there is no flow {name!r} in namespace {NAMESPACE}",
        hint=f"invoke run {near[0]}" if near else f"one of {', '.join(names)}"
        if names else "invoke deploy-flows",
    )  # fmt: skip


def _inputs(
    flow: Mapping[str, Any], given: Sequence[str]
) -> tuple[dict[str, str], dict[str, Path]]:
    """The inputs by name, and those that are files. The server checks types and what is missing."""
    types = {field["id"]: str(field.get("type")) for field in flow.get("inputs") or ()}
    values: dict[str, str] = {}
    files: dict[str, Path] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--input {text}: must be name=value")
        if name not in types:
            known = ", ".join(types) or "none"
            raise UsageError(f"--input {name}: {flow['id']} has no such input; it has {known}")
        if types[name] != "FILE":
            values[name] = value
        elif (path := Path(value).expanduser()).is_file():
            files[name] = path
        else:
            raise UsageError(f"--input {name}: {value} is not a file")
    return values, files


def _value(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


# --- executions -----------------------------------------------------------------------------------


def executions(
    target: Target, console: Console, *, failed: bool, flow: str, since: str, limit: int
) -> None:
    """List executions, newest first; the reason stands below each that failed."""
    if limit < 1:
        raise UsageError(f"--limit {limit}: must be 1 or more")
    client = target.kestra()
    listed = list(
        client.executions.search(
            namespace=NAMESPACE,
            flow_id=flow or None,
            states=FAILED if failed else (),
            start_after=start_of(since) if since else None,
            page_size=min(limit + 1, 100),
            limit=limit + 1,
        )
    )
    shown = listed[:limit]
    reasons = reasons_of(client, shown)
    console.result(
        execution_table("Executions (UTC)", shown, reasons) if shown else None,
        [{**_json(execution), "reason": reasons.get(execution.id)} for execution in shown],
    )
    more = " (--limit shows more)" if len(listed) > limit else ""
    kind = "failed execution" if failed else "execution"
    console.summary(counted(len(shown), kind) + more)


def start_of(since: str, now: datetime | None = None) -> datetime:
    """The moment that `--since` names: `30m`, `12h`, `7d` ago, or a date (UTC)."""
    try:
        if ago := SINCE.fullmatch(since):
            return (now or datetime.now(UTC)) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        day = datetime.fromisoformat(since)
    except (ValueError, OverflowError):  # the second of more days than there were
        raise UsageError(f"--since {since}: must be like 30m, 12h, 7d, or a date") from None
    return day if day.tzinfo else day.replace(tzinfo=UTC)


def last_failures(client: KestraClient, most: int) -> tuple[list[Execution], dict[str, str]]:
    """The executions that failed last, and why."""
    failed = list(
        client.executions.search(namespace=NAMESPACE, states=["FAILED"], page_size=most, limit=most)
    )
    return failed, reasons_of(client, failed)


def reasons_of(client: KestraClient, listed: Iterable[Execution]) -> dict[str, str]:
    """Why each of those that failed did, by id."""
    executions = Executions(client)
    return {
        execution.id: executions.reason(execution.id, execution.end)
        for execution in listed
        if execution.state == "FAILED"
    }


def execution_table(
    title: str, listed: Sequence[Execution], reasons: Mapping[str, str]
) -> RenderableType:
    """A row each, and the reasons below, a line each; fits 80 columns but for the reasons."""
    rows = [
        (
            execution.id,
            execution.flow_id,
            " ".join(filter(None, (execution.labels.get("taxi"), execution.labels.get("month")))),
            execution.state,
            moment(execution.start),
            _seconds(execution).rstrip(" s"),
        )
        for execution in listed
    ]
    drawn = table(title, ["execution", "flow", "month", "state", "start", "s#"], rows)
    lines = [
        Text(f"{execution.id}: {reasons[execution.id]}")
        for execution in listed
        if execution.id in reasons
    ]
    return Group(drawn, *([Text("")] if lines else []), *lines)


def _seconds(execution: Execution) -> str:
    if execution.start is None or execution.end is None:
        return ""
    return f"{(execution.end - execution.start).total_seconds():.1f} s"


def _json(execution: Execution) -> dict[str, Any]:
    return {
        "id": execution.id,
        "flow": execution.flow_id,
        "state": execution.state,
        "labels": execution.labels,
        "start": execution.start,
        "end": execution.end,
    }


# --- cancel ---------------------------------------------------------------------------------------


def cancel(target: Target, console: Console, *, name: str) -> None:
    """End an execution with all that it started, or a backfill by its name (`bf-…`).

    Waits until all of it has ended. Raises UsageError when there is none of that name.
    """
    client = target.kestra()
    execution = _execution_of(client, name)
    if execution.terminated:
        console.summary(f"{name} had ended already: {execution.state}")
        return
    _end(client, execution, name)
    state = client.executions.get(execution.id).state
    console.summary(f"{name} of {execution.flow_id} ended {state}; what was loaded stays loaded")


def _end(client: KestraClient, execution: Execution, name: str) -> None:
    asked: set[str] = set()
    looks = 2  # a month that was just being started shows itself after its backfill has ended
    give_up = time.monotonic() + ENDING_S
    while looks:
        living = _living(client, execution)
        for execution_id in living - asked:
            client.executions.kill(execution_id)
        asked |= living
        looks = 2 if living else looks - 1
        if living and time.monotonic() > give_up:
            raise FailedError(
                f"{name} is still ending after {ENDING_S:.0f} s: {', '.join(sorted(living))}",
                hint="invoke executions shows when it has",
            )
        time.sleep(POLL_S)


def _execution_of(client: KestraClient, name: str) -> Execution:
    if name.startswith("bf-"):
        listed = list(client.executions.search(
            namespace=NAMESPACE, labels={"backfill": name}, flow_id=BACKFILL_FLOW, limit=1
        ))  # fmt: skip
        if listed:
            return listed[0]
        raise UsageError(f"there is no backfill {name}", hint="invoke executions lists them")
    try:
        return client.executions.get(name)
    except NotFound:
        raise UsageError(
            f"there is no execution {name}", hint="invoke executions lists them"
        ) from None


def _living(client: KestraClient, execution: Execution) -> set[str]:
    """The execution and its backfill's loads, those that have not ended."""
    known = [client.executions.get(execution.id)]
    backfill = execution.labels.get("backfill")
    if backfill and execution.flow_id == BACKFILL_FLOW:
        known += client.executions.search(namespace=NAMESPACE, labels={"backfill": backfill})
    return {execution.id for execution in known if not execution.terminated}
