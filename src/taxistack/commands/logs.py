"""`logs`: of an execution in Kestra, or of a part of the local cloud."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC

from taxistack.console import Console
from taxistack.errors import UsageError
from taxistack.kestra import LogLine
from taxistack.targets import Target


def log_lines(entries: Iterable[LogLine]) -> Iterator[str]:
    """The lines of an execution's log: time of day (UTC), level where it tells, task, message."""
    for entry in entries:
        time = f"{entry.timestamp.astimezone(UTC):%H:%M:%S}" if entry.timestamp else ""
        level = "" if entry.level == "INFO" else f"{entry.level} "
        yield f"{time:8}  {entry.task_id or '':12}  {level}{entry.message}"


def _execution(target: Target, console: Console, execution: str, lines: int) -> None:
    client = target.kestra()
    entries = client.logs(execution)
    if not entries:
        client.executions.get(execution)  # of one that is not there Kestra says no line too
    for line in log_lines(entries[-lines:]):
        console.line(line)
    shown = f"{min(len(entries), lines)} of {len(entries)} lines of execution {execution}"
    first = next((entry.timestamp for entry in entries if entry.timestamp), None)
    console.say(
        f"{shown}, times in UTC" + (f", from {first.astimezone(UTC):%Y-%m-%d}" if first else "")
    )


def _part(target: Target, console: Console, part: str, lines: int) -> None:
    logs = {status["name"]: status["log"] for status in target.parts()}
    if not logs:
        raise UsageError(
            f"--part {part}: stack {target.settings.name} has no parts on this machine"
        )
    if part not in logs:
        raise UsageError(f"--part {part}: must be one of {', '.join(sorted(logs))}")
    path = logs[part]
    if path is None or not path.exists():
        console.say(f"{part} has written no log yet")
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=lines):
            console.line(line.rstrip("\n"))
    console.say(f"the last {lines} lines of {path}")


def logs(target: Target, console: Console, *, execution: str, part: str, lines: int) -> None:
    """Print the last `lines` lines of the log that was asked for."""
    if bool(execution) == bool(part):
        raise UsageError("logs needs --execution ID or --part NAME, one of them")
    if lines < 1:
        raise UsageError(f"--lines {lines}: must be 1 or more")
    if execution:
        _execution(target, console, execution, lines)
    else:
        _part(target, console, part, lines)
