"""Executions: start, read, search, follow, and act on them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from taxistack.kestra.events import executions_of
from taxistack.kestra.filters import Filters, equals, labelled, pages, since, within
from taxistack.kestra.http import JSON, TEXT_JSON, Http, labels_params
from taxistack.kestra.models import Execution
from taxistack.kestra.problems import Conflict, KestraError, Unavailable

_FIRST_POLL, _LAST_POLL = 0.1, 2.0
_IDLE = 60.0
"""Seconds without an event before the stream is given up for polling."""


class Executions:
    """The executions of a server."""

    def __init__(self, http: Http) -> None:
        """`http`: the server."""
        self._http = http

    def create(
        self,
        namespace: str,
        flow_id: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Mapping[str, Path] | None = None,
        labels: Mapping[str, str] | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Execution:
        """Start a flow; sent once, never retried.

        `inputs`: text goes as it is, anything else as JSON, None not at all. `files`: FILE inputs,
        streamed, in whose names a `_` stands for what Kestra can't take into an address (a blank,
        a quote). `wait`: answer when it has ended, after at most `timeout` seconds (else
        `Unavailable`, and the execution goes on). Raises `Invalid` for an input or label that the
        flow refuses, `NotFound`, and another `KestraError` (409 or 500) when the flow is disabled
        or its inputs are more than the server's queues take (1 MiB by default).
        """
        parts: list[tuple[str, Any]] = [
            (key, (None, _part(value)))
            for key, value in (inputs or {}).items()
            if value is not None
        ]
        opened = [(key, _plain(path.name), path.open("rb")) for key, path in (files or {}).items()]
        try:
            parts += [(key, (name, handle)) for key, name, handle in opened]
            answer = self._http.send_json(
                "POST",
                f"main/executions/{namespace}/{flow_id}",
                f"start {namespace}.{flow_id}",
                params=[*labels_params(labels or {}), ("wait", "true" if wait else "false")],
                files=parts or None,
                timeout=httpx.Timeout(30.0, read=timeout) if wait else None,
            )
        finally:
            for _, _, handle in opened:
                handle.close()
        return Execution.parse(answer)

    def get(self, execution_id: str) -> Execution:
        """The execution as it stands; raises `NotFound`."""
        path = f"main/executions/{execution_id}"
        return Execution.parse(self._http.json(path, f"read execution {execution_id}"))

    def search(
        self,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
        states: Iterable[str] = (),
        labels: Mapping[str, str] | None = None,
        start_after: datetime | None = None,
        sort: str = "state.startDate:desc",
        page_size: int = 100,
        limit: int | None = None,
    ) -> Iterator[Execution]:
        """Executions that match all of these, newest first, page after page as they are read.

        Kestra 2.0 runs every iteration of a Loop as an execution of the same flow; they are left
        out. A search answer has no task runs and no outputs.
        """
        filters = _filters(namespace, flow_id, states, labels, start_after)
        seen: set[str] = set()
        path, step = "main/executions/search", "search executions"
        for raw in pages(self._http, path, step, filters, size=page_size, sort=sort):
            execution = Execution.parse(raw)
            if execution.id in seen or execution.loop_run is not None:
                continue
            seen.add(execution.id)
            yield execution
            if len(seen) == limit:  # before another page is asked for
                return

    def page(
        self,
        number: int,
        size: int,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
        states: Iterable[str] = (),
        labels: Mapping[str, str] | None = None,
        start_after: datetime | None = None,
    ) -> tuple[list[Execution], int]:
        """One page of such a search, newest first, and how many there are in all.

        `number`: from 1. `size`: 1 to 1,000.
        """
        answer = self._http.json(
            "main/executions/search",
            "search executions",
            [
                ("page", str(number)),
                ("size", str(size)),
                ("sort", "state.startDate:desc"),
                *_filters(namespace, flow_id, states, labels, start_after),
            ],
        )
        page = [Execution.parse(raw) for raw in answer.get("results") or ()]
        return [execution for execution in page if execution.loop_run is None], int(
            answer.get("total") or 0
        )

    def follow(self, execution_id: str, timeout: float | None = None) -> Iterator[Execution]:
        """The execution each time it changes; the last one has ended.

        Events of the server where it sends them; reading it again and again where it does not, or
        when the stream breaks. `timeout`: seconds in all, then `Unavailable`; the run goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        last = self.get(execution_id)
        yield last
        try:
            for execution in self._stream(execution_id, deadline):
                if execution.state != last.state or execution.raw != last.raw:
                    last = execution
                    yield execution
        except (Unavailable, KestraError):
            pass  # the stream is a convenience: polling below finds out whether the server is there
        if not last.terminated:
            yield from self._poll(execution_id, last, deadline)

    def wait(self, execution_id: str, timeout: float | None = None) -> Execution:
        """The execution when it has ended; `Unavailable` after `timeout` seconds."""
        for last in self.follow(execution_id, timeout):  # noqa: B007 the last one is the answer
            pass
        return last

    def kill(self, execution_id: str, *, cascade: bool = True) -> None:
        """End an execution (and, with `cascade`, what it started); one that has ended is fine.

        Kestra 2.0.0 leaves one that waits for a retry KILLING for ever; later patches and the
        embedded engine end it.
        """
        params = [("isOnKillCascade", str(cascade).lower())]
        try:
            # Should a later patch make plain JSON of it, that is as good.
            self._act("DELETE", execution_id, "kill", params, accept=f"{TEXT_JSON}, {JSON}")
        except Conflict:
            if not self.get(execution_id).terminated:
                raise

    def restart(self, execution_id: str) -> Execution:
        """Run what failed again, under the same id; raises `Conflict` when it cannot."""
        answer = self._act("POST", execution_id, "restart", [])
        return Execution.parse(answer) if answer else self.get(execution_id)

    def replay(self, execution_id: str, task_run_id: str | None = None) -> Execution:
        """Run it again as a new execution, from the start or from one of its task runs."""
        params = [] if task_run_id is None else [("taskRunId", task_run_id)]
        return Execution.parse(self._act("POST", execution_id, "replay", params))

    def delete(self, execution_id: str) -> None:
        """Remove an execution that has ended, with its logs, metrics and files."""
        params = [(f"delete{what}", "true") for what in ("Logs", "Metrics", "Storage")]
        step = f"delete execution {execution_id}"
        self._http.send("DELETE", f"main/executions/{execution_id}", step, params=params)

    def _act(
        self,
        verb: str,
        execution_id: str,
        name: str,
        params: list[tuple[str, str]],
        accept: str = JSON,
    ) -> Any:
        path = f"main/executions/{execution_id}/actions/{name}"
        step = f"{name} execution {execution_id}"
        return self._http.send_json(verb, path, step, params=params, accept=accept)

    def _stream(self, execution_id: str, deadline: float | None) -> Iterator[Execution]:
        path = f"main/executions/{execution_id}/follow"
        step = f"follow execution {execution_id}"
        idle = _IDLE if deadline is None else max(0.05, min(_IDLE, deadline - time.monotonic()))
        with self._http.events(path, step, idle) as lines:
            for execution in executions_of(_until(lines, deadline)):
                yield execution
                if execution.terminated:
                    return

    def _poll(
        self, execution_id: str, last: Execution, deadline: float | None
    ) -> Iterator[Execution]:
        pause = _FIRST_POLL
        while not last.terminated:
            if deadline is not None and time.monotonic() > deadline:
                raise Unavailable(
                    f"execution {execution_id} of {last.namespace}.{last.flow_id} is still "
                    f"{last.state}; it goes on without us",
                    hint=f"invoke logs --execution {execution_id}",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, _LAST_POLL)
            execution = self.get(execution_id)
            if execution.raw != last.raw:
                last, pause = execution, _FIRST_POLL
                yield execution


def _filters(
    namespace: str | None,
    flow_id: str | None,
    states: Iterable[str],
    labels: Mapping[str, str] | None,
    start_after: datetime | None,
) -> Filters:
    return (
        equals("namespace", namespace)
        + equals("flowId", flow_id)
        + within("state", states)
        + labelled(labels or {})
        + since("startDate", start_after)
    )


def _until(lines: Iterable[str], deadline: float | None) -> Iterator[str]:
    """The lines up to the deadline: comments alone keep a stream open for ever."""
    for line in lines:
        yield line
        if deadline is not None and time.monotonic() > deadline:
            return


def _part(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
