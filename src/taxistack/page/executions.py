"""Executions: a page of them, one with all that it left behind, and what is done to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from taxistack.backfill.executions import last_word
from taxistack.commands.executions import start_of
from taxistack.console import plain
from taxistack.errors import UsageError
from taxistack.kestra import Execution, KestraClient, LogLine
from taxistack.kestra.models import TERMINAL
from taxistack.kestra.observe import LEVELS

SIZE = 25
MOST_LINES = 2000
"""Lines of a log that a page shows; the file has all."""
_CORRELATION = "system.correlationId"
_FILE = "kestra:///"
# The states of `Executions` by what a person looks for.
STATES: Mapping[str, tuple[str, ...]] = {
    "running": (
        "CREATED", "SUBMITTED", "RUNNING", "RESTARTED", "KILLING", "RETRYING", "QUEUED", "PAUSED",
    ),
    "success": ("SUCCESS",),
    "warning": ("WARNING",),
    "failed": ("FAILED",),
    "killed": ("KILLED", "CANCELLED"),
}  # fmt: skip
_RESTARTABLE = {"FAILED", "KILLED", "WARNING", "CANCELLED"}


def listed(client: KestraClient, query: Mapping[str, str]) -> dict[str, Any]:
    """One page: `state` (a key of `STATES`), `flow`, `label` (key:value), `since`, `page`.

    Raises UsageError for a filter that is none.
    """
    number = int(query.get("page") or 1) if (query.get("page") or "1").isdecimal() else 0
    if number < 1:
        raise UsageError(f"page {query['page']}: must be 1 or more")
    namespace, _, flow = (query.get("flow") or "").rpartition("/")
    since = query.get("since") or ""
    listed, total = client.executions.page(
        number,
        SIZE,
        namespace=namespace or None,
        flow_id=flow or None,
        states=_states(query.get("state") or ""),
        labels=_wanted(query.get("label") or ""),
        start_after=start_of(since) if since else None,
    )
    return {
        "page": number,
        "size": SIZE,
        "total": total,
        "executions": [short(each) for each in listed],
    }


def _states(name: str) -> tuple[str, ...]:
    if name and name not in STATES:
        raise UsageError(f"state {name}: must be one of {', '.join(STATES)}")
    return STATES.get(name, ())


def _wanted(text: str) -> dict[str, str]:
    pairs = [pair.partition(":") for pair in text.replace(",", " ").split()]
    if any(not key or not value for key, _, value in pairs):
        raise UsageError(f"label {text}: must be key:value, for example month:2019-01")
    return {key: value for key, _, value in pairs}


def short(execution: Execution) -> dict[str, Any]:
    """An execution in a list."""
    return {
        "id": execution.id,
        "namespace": execution.namespace,
        "flow": execution.flow_id,
        "state": execution.state,
        "ended": execution.terminated,
        "labels": {key: value for key, value in execution.labels.items() if "." not in key},
        "start": _iso(execution.start),
        "end": _iso(execution.end),
        "trigger": execution.trigger_id,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def whole(client: KestraClient, execution_id: str) -> dict[str, Any]:
    """An execution with its task runs, outputs, files and relatives. Raises `NotFound`."""
    execution = client.executions.get(execution_id)
    outputs = client.outputs.tasks(execution_id)
    result = client.outputs.flow(execution_id) if execution.terminated else {}
    root = execution.labels.get(_CORRELATION) or execution.id
    family = list(client.executions.search(labels={_CORRELATION: root}, limit=200, page_size=200))
    return {
        **short(execution),
        "inputs": execution.inputs,
        "outputs": result,
        "task_outputs": outputs,
        "files": sorted(set(_files([execution.inputs, result, outputs]))),
        "tasks": [_task(run) for run in execution.task_runs],
        "root": root if root != execution.id else None,
        "subflows": [short(each) for each in family if each.id != execution.id]
        if root == execution.id
        else [],
        "restartable": execution.state in _RESTARTABLE,
    }


def _task(run: Mapping[str, Any]) -> dict[str, Any]:
    state = run.get("state") or {}
    return {
        "id": run.get("id"),
        "task": run.get("taskId"),
        "parent": run.get("parentTaskRunId"),
        "value": run.get("value"),
        "state": state.get("current"),
        "ended": state.get("current") in TERMINAL,
        "start": state.get("startDate"),
        "end": state.get("endDate"),
        "attempts": len(run.get("attempts") or ()),
    }


def _files(values: Iterable[Any]) -> Iterator[str]:
    """The addresses of internal storage that stand anywhere in inputs and outputs."""
    for value in values:
        if isinstance(value, str) and value.startswith(_FILE):
            yield value
        elif isinstance(value, Mapping):
            yield from _files(value.values())
        elif isinstance(value, list):
            yield from _files(value)


def log(client: KestraClient, execution_id: str, level: str) -> dict[str, Any]:
    """The last lines of the log, and why it failed, if it did. Raises UsageError."""
    if level not in LEVELS:
        raise UsageError(f"level {level}: must be one of {', '.join(LEVELS)}")
    lines = client.logs(execution_id, min_level=level)
    errors = [
        line.message.strip() for line in lines if line.level == "ERROR" and line.message.strip()
    ]
    return {
        "left_out": max(0, len(lines) - MOST_LINES),
        "reason": plain(last_word(errors)) if errors else None,
        "lines": [
            [_iso(line.timestamp), line.level, line.task_id, plain(line.message)]
            for line in lines[-MOST_LINES:]
        ],
    }


def log_file(client: KestraClient, execution_id: str) -> Response:
    """The whole log as text."""
    text = "".join(_line(line) for line in client.logs(execution_id, min_level="TRACE"))
    return _attached(text.encode(), f"{execution_id}.log", "text/plain; charset=utf-8")


def _line(line: LogLine) -> str:
    return f"{_iso(line.timestamp) or ''} {line.level} {line.task_id or ''} {line.message}\n"


def file(client: KestraClient, execution_id: str, uri: str) -> Response:
    """A file that the execution left. Raises `Invalid` for one that is not its own."""
    content = client.files.download(execution_id, uri)
    return _attached(content, uri.rsplit("/", 1)[-1], "application/octet-stream")


def _attached(content: bytes, name: str, media_type: str) -> Response:
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=media_type, headers={"Content-Disposition": disposition})


def act(client: KestraClient, request: Request) -> dict[str, Any]:
    """Kill, restart or replay; the id of the execution to look at then."""
    execution_id, action = request.path_params["id"], request.path_params["action"]
    if action == "kill":
        client.executions.kill(execution_id)
        return {"id": execution_id}
    if action == "restart":
        return {"id": client.executions.restart(execution_id).id}
    if action == "replay":
        return {"id": client.executions.replay(execution_id).id}
    raise UsageError(f"there is no action {action}: one of kill, restart, replay")
