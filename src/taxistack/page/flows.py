"""Flows: what there is, one of them with its diagram, and starting it from its form."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from taxistack.kestra import KestraClient, NotFound, NotOffered, Trigger
from taxistack.page.answers import in_thread
from taxistack.page.descriptions import elements
from taxistack.page.topology import diagram


def listed(client: KestraClient) -> list[dict[str, Any]]:
    """Every flow, with the next date of those of its triggers that are switched on."""
    triggers = client.triggers.search()
    flows = client.flows.search()
    return [
        {
            "namespace": flow["namespace"],
            "id": flow["id"],
            "summary": elements(str(flow.get("description") or "").strip().split("\n\n")[0]),
            "disabled": bool(flow.get("disabled")),
            "inputs": len(flow.get("inputs") or ()),
            "labels": _labels(flow.get("labels")),
            "next": _next(flow, triggers),
        }
        for flow in sorted(flows, key=lambda flow: (flow["namespace"], flow["id"]))
    ]


def _labels(raw: Any) -> dict[str, str]:
    if isinstance(raw, Mapping):
        return {str(key): str(value) for key, value in raw.items()}
    return {str(label["key"]): str(label.get("value")) for label in raw or ()}


def _next(flow: Mapping[str, Any], triggers: list[Trigger]) -> str | None:
    dates = [
        trigger.next_date
        for trigger in triggers
        if (trigger.namespace, trigger.flow_id) == (flow["namespace"], flow["id"])
        and trigger.next_date
        and not (trigger.disabled or (trigger.raw.get("trigger") or {}).get("disabled"))
    ]
    return min(dates).isoformat() if dates else None


def whole(client: KestraClient, namespace: str, flow_id: str) -> dict[str, Any]:
    """A flow whole. Raises `NotFound`."""
    flow = client.flows.get(namespace, flow_id)
    if flow is None:
        words = f"there is no flow {namespace}.{flow_id}"
        raise NotFound(words, status=404, detail=words)
    return {
        "namespace": namespace,
        "id": flow_id,
        "revision": flow.get("revision"),
        "description": elements(flow.get("description")),
        "disabled": bool(flow.get("disabled")),
        "labels": _labels(flow.get("labels")),
        "inputs": [_input(each) for each in flow.get("inputs") or ()],
        "concurrency": flow.get("concurrency"),
        "source": flow.get("source") or "",
        "tasks": [*_tasks(flow.get("tasks")), *_tasks(flow.get("errors"), "on error")],
        "diagram": _diagram(client, namespace, flow_id),
        "triggers": [trigger(each) for each in client.triggers.search(
            namespace=namespace, flow_id=flow_id)],
    }  # fmt: skip


def _diagram(client: KestraClient, namespace: str, flow_id: str) -> dict[str, Any] | None:
    """The flow's diagram; None when the server has none, and the list of tasks must do."""
    try:
        return diagram(client.flows.graph(namespace, flow_id))
    except NotOffered:
        return None


def _input(raw: Mapping[str, Any]) -> dict[str, Any]:
    said = ("id", "type", "displayName", "required", "defaults", "values", "min", "max", "options")
    field = {name: raw.get(name) for name in said}
    return {
        **field,
        "values": raw.get("values") or raw.get("options") or [],
        "required": raw.get("required") is not False and raw.get("defaults") is None,
        "custom": bool(raw.get("allowCustomValue")),
        "validator": raw.get("validator"),
        "description": elements(raw.get("description")),
    }


# Where a task keeps the tasks that it holds: lists, and lists by name (`cases` of a Switch).
_LISTS = ("tasks", "then", "else", "defaults", "errors", "finally")


def _tasks(raw: Any, when: str = "", depth: int = 0) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    for task in raw or ():
        if not isinstance(task, Mapping) or "id" not in task:
            continue
        tasks.append(
            {
                "id": task["id"],
                "type": str(task.get("type", "")),
                "when": when,
                "depth": depth,
                "description": elements(task.get("description")),
            }
        )
        for name in _LISTS:
            if isinstance(task.get(name), list):
                said = name if name != "tasks" else ""
                tasks += _tasks(task[name], said, depth + 1)
        for name, inside in (task.get("cases") or {}).items():
            tasks += _tasks(inside, str(name), depth + 1)
    return tasks


def trigger(shown: Trigger) -> dict[str, Any]:
    """A trigger as the page shows it.

    `off_in_source`: the flow itself says `disabled: true`. Kestra lets such a one be switched on,
    counts its ticks, and runs none of them.
    """
    declared = shown.raw.get("trigger") or {}
    off_in_source = bool(declared.get("disabled"))
    return {
        "namespace": shown.namespace,
        "flow": shown.flow_id,
        "id": shown.trigger_id,
        "type": str(declared.get("type") or "").rsplit(".", 1)[-1],
        "cron": declared.get("cron"),
        "description": elements(declared.get("description")),
        "inputs": declared.get("inputs") or {},
        "disabled": shown.disabled or off_in_source,
        "off_in_source": off_in_source,
        "next": shown.next_date.isoformat() if shown.next_date else None,
        "last": shown.last_date.isoformat() if shown.last_date else None,
        "execution": shown.execution_id,
        "backfill": _progress(shown.backfill),
        "schedules": bool(declared.get("cron")),
    }


def _progress(backfill: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not backfill:
        return None
    said = ("start", "end", "currentDate", "paused")
    return {name: backfill.get(name) for name in said}


async def execute(client: KestraClient, request: Request) -> Response:
    """Start the flow with the form's fields; an empty one is not sent, so its default holds."""
    async with request.form(max_files=20, max_fields=200, max_part_size=8 << 20) as form:
        return await in_thread(
            lambda: _start(
                client, request.path_params["namespace"], request.path_params["flow"], form
            )
        )


def _start(client: KestraClient, namespace: str, flow_id: str, form: FormData) -> dict[str, str]:
    inputs: dict[str, str] = {}
    files: dict[str, Path] = {}
    with tempfile.TemporaryDirectory(prefix="taxistack-input-") as folder:
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                if value:
                    inputs[name] = value
            elif value.filename:
                path = Path(folder, str(len(files)), Path(value.filename).name)
                path.parent.mkdir()
                with path.open("wb") as copy:
                    shutil.copyfileobj(value.file, copy)
                files[name] = path
        started = client.executions.create(namespace, flow_id, inputs=inputs, files=files)
    return {"id": started.id, "state": started.state}
