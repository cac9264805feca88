"""The labelled executions of the taxi flows, read and steered through the Kestra client."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from taxi_etl.errors import EtlError
from taxi_etl.month import Month
from taxistack.backfill.planner import LiveBackfill
from taxistack.backfill.state import DESTINATIONS, LOST_AFTER, Cell, Run, RunState
from taxistack.kestra import TERMINAL, Execution, Unavailable

if TYPE_CHECKING:
    from taxistack.kestra import KestraClient

NAMESPACE = "taxi"
BACKFILL_FLOW = "taxi_backfill"
FLOWS: Mapping[str, str] = {name: f"taxi_to_{name}" for name in DESTINATIONS}
# Kestra 2.0's states of an execution that has not ended.
LIVE = (
    "CREATED", "SUBMITTED", "RUNNING", "PAUSED", "RESTARTED", "KILLING", "QUEUED", "RETRYING",
    "BREAKPOINT",
)  # fmt: skip
ENDED: Mapping[str, RunState] = {
    "SUCCESS": RunState.SUCCESS,
    "WARNING": RunState.WARNING,
    "FAILED": RunState.FAILED,
    "KILLED": RunState.CANCELLED,
    "CANCELLED": RunState.CANCELLED,
    "SKIPPED": RunState.CANCELLED,
}
NOT_DONE = tuple(state for state in ENDED if state != "SUCCESS")
"""Ends that say more of a month than its ledger row: a server has few of these."""
# These wait for their turn or for a person, and may do so for long.
WAITING = frozenset({"QUEUED", "PAUSED", "BREAKPOINT"})
# The task with which the flows' `errors` end, and how long its line may take to be in the log.
LAST_WORD = "failed"
LOG_DELAY_S = 10.0
LOG_POLL_S = 0.2
# A search finds a new execution a moment after it was made.
BEGUN_S, BEGUN_POLL_S = 10.0, 0.1
PAGE = 500
MOST = 10_000  # of one backfill
MOST_OF_A_MONTH = 200  # attempts at one month in one destination
MOST_RECENT = 100
PARALLEL = 8


def new_backfill_id(now: datetime) -> str:
    """An id that sorts by time and is free even when two commands start in one second."""
    return f"bf-{now.astimezone(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Executions:
    """The executions that the states of the cells and a backfill's progress are made from."""

    def __init__(self, client: KestraClient) -> None:
        """`client`: a client of the running Kestra."""
        self._client = client

    def runs(self, backfill: str, since: datetime | None = None) -> dict[Cell, list[Run]]:
        """The runs of the taxi flows by cell that one backfill started, `since` then or ever."""
        flows = FLOWS.values()
        return by_cell(
            execution
            for flow in flows
            for execution in self._search(flow, start_after=since, backfill=backfill)
        )

    def runs_of(self, months: Iterable[Month], states: Iterable[str] = ()) -> dict[Cell, list[Run]]:
        """The runs of these months by cell, the newest of each month; of `states` alone, if any.

        A request or two for each month. The server reads the labels of every execution that is
        left by its flow and state: of `NOT_DONE` these are few, however many it has in all.
        """
        wanted = [(flow, str(month)) for month in sorted(set(months)) for flow in FLOWS.values()]
        states = tuple(states)

        def search(query: tuple[str, str]) -> list[Execution]:
            flow, month = query
            return list(self._search(flow, states=states, limit=MOST_OF_A_MONTH, month=month))

        with ThreadPoolExecutor(PARALLEL) as pool:
            return by_cell(
                execution for executions in pool.map(search, wanted) for execution in executions
            )

    def living(self) -> dict[Cell, list[Run]]:
        """The runs that have not ended, of any month."""
        flows = FLOWS.values()
        return by_cell(execution for flow in flows for execution in self._search(flow, states=LIVE))

    def recent_loads(self) -> dict[Cell, list[Run]]:
        """The runs that ended well last, of any month: what the next ones are expected to take."""
        flows = FLOWS.values()
        return by_cell(
            execution
            for flow in flows
            for execution in self._search(flow, states=["SUCCESS"], limit=MOST_RECENT)
        )

    def heard_again(
        self, runs: Iterable[Run], now: datetime, after: timedelta = LOST_AFTER
    ) -> dict[str, datetime]:
        """When the engine last wrote of those live runs that seem silent, by execution id.

        A search says nothing of the tasks of an execution; only the silent ones are asked.
        """
        silent = [
            run.id for run in runs if run.state is RunState.LIVE and now - run.heard > after / 3
        ]
        with ThreadPoolExecutor(PARALLEL) as pool:
            whole = pool.map(self._client.executions.get, silent)
            return {
                execution_id: last_sign(executions)
                for execution_id, executions in zip(silent, whole, strict=True)
            }

    def live_backfills(self) -> list[LiveBackfill]:
        """The backfills that have not ended."""
        return _backfills(self._search(BACKFILL_FLOW, states=LIVE))

    def begun_before(self, execution_id: str) -> list[LiveBackfill]:
        """The backfills that have not ended and began before this one, by the server's clock."""
        live = self._search(BACKFILL_FLOW, states=LIVE)
        ordered = sorted(
            (backfill for backfill in live if backfill.start),
            key=lambda backfill: (backfill.start, backfill.id),
        )
        ids = [backfill.id for backfill in ordered]
        return _backfills(ordered[: ids.index(execution_id)]) if execution_id in ids else []

    def start(self, cells: Iterable[Cell], backfill: str, *, parallel: int, replace: bool) -> str:
        """Start one taxi_backfill execution; its id.

        A start is sent once. When its answer is lost, what Kestra made of it is found by the
        backfill's name. Raises `Unavailable` when nothing was made of it in some seconds.
        """
        months = [
            {"taxi": cell.taxi, "month": str(cell.month), "destination": cell.destination}
            for cell in cells
        ]
        inputs = {
            "months": months,
            "backfill": backfill,
            "parallel": parallel,
            "replace": replace,
        }
        labels = {"backfill": backfill}
        try:
            return self._client.executions.create(
                NAMESPACE, BACKFILL_FLOW, inputs=inputs, labels=labels
            ).id
        except Unavailable:
            execution_id = self.begun(backfill)
            if execution_id is None:
                raise
            return execution_id

    def begun(self, backfill: str) -> str | None:
        """The execution of this backfill, once a search finds it; None when none does for a while.

        A search finds a new execution a moment after it was made.
        """
        give_up = time.monotonic() + BEGUN_S
        while True:
            with suppress(Unavailable):
                for execution in self._search(BACKFILL_FLOW, backfill=backfill):
                    return execution.id
            if time.monotonic() > give_up:
                return None
            time.sleep(BEGUN_POLL_S)

    def ended(self, execution_id: str) -> RunState | None:
        """How an execution ended, None while it lives."""
        state = self._client.executions.get(execution_id).state
        return ENDED.get(state, RunState.CANCELLED) if state in TERMINAL else None

    def rows(self, execution_id: str) -> int:
        """The rows that an execution loaded, as its flow says; 0 when it does not."""
        rows = str(self._client.outputs.flow(execution_id).get("rows") or "")
        return int(rows) if rows.isdecimal() else 0

    def kill(self, execution_id: str) -> None:
        """Kill an execution and what it started; one that has ended is left as it is."""
        self._client.executions.kill(execution_id)

    def reason(self, execution_id: str, ended: datetime | None = None) -> str:
        """Why an execution failed: its last error in the log, in one line.

        `ended`: aware time of its end, now when not given. A server files log lines a moment after
        it tells of the end, so the flow's own last word is waited for when that was just now.
        """
        now = datetime.now(UTC)
        give_up = time.monotonic() + min(LOG_DELAY_S - (now - (ended or now)).total_seconds(),
                                         LOG_DELAY_S)  # fmt: skip
        lines = self._client.logs(execution_id, min_level="ERROR")
        while not any(line.task_id == LAST_WORD for line in lines) and time.monotonic() < give_up:
            time.sleep(LOG_POLL_S)
            lines = self._client.logs(execution_id, min_level="ERROR")
        messages = [line.message.strip() for line in lines if line.message.strip()]
        return last_word(messages)

    def reasons(self, runs: Iterable[Run]) -> dict[str, str]:
        """The reasons of several failed runs by execution id, at most 8 asked at a time."""
        ended = {run.id: run.heard for run in runs}
        with ThreadPoolExecutor(PARALLEL) as pool:
            reasons = pool.map(self.reason, ended.keys(), ended.values())
            return dict(zip(ended, reasons, strict=True))

    def _search(
        self,
        flow: str,
        *,
        states: Iterable[str] = (),
        start_after: datetime | None = None,
        limit: int = MOST,
        **labels: str,
    ) -> Iterator[Execution]:
        return self._client.executions.search(
            namespace=NAMESPACE,
            flow_id=flow,
            states=states,
            labels=labels,
            start_after=start_after,
            page_size=min(PAGE, limit),
            limit=limit,
        )


def _backfills(executions: Iterable[Execution]) -> list[LiveBackfill]:
    """Live executions of taxi_backfill; those whose input the flow itself refuses are left out."""
    backfills = []
    for execution in executions:
        cells = frozenset(cells_of(execution.inputs.get("months")))
        if cells:
            name = str(execution.inputs.get("backfill") or execution.id)
            backfills.append(LiveBackfill(execution.id, name, cells, last_sign(execution)))
    return backfills


def by_cell(executions: Iterable[Execution]) -> dict[Cell, list[Run]]:
    """Executions as runs, under the cells that they load; those of no cell are left out."""
    runs: dict[Cell, list[Run]] = defaultdict(list)
    for execution in executions:
        if (run := run_of(execution)) is not None:
            runs[run.cell].append(run)
    return dict(runs)


def together(*groups: Mapping[Cell, list[Run]]) -> dict[Cell, list[Run]]:
    """The runs of several searches, by cell; one that several of them found is listed once."""
    runs: dict[Cell, dict[str, Run]] = defaultdict(dict)
    for group in groups:
        for cell, ran in group.items():
            runs[cell] |= {run.id: run for run in ran}
    return {cell: list(ran.values()) for cell, ran in runs.items()}


# What the engine says of a failed task begins so; the first two stand after what really happened.
_ENGINES_WORDS = ("Command failed", "Fail on", "io.", "java")
_CLASS = re.compile(r"^(?:[a-z]\w*\.)+[A-Z]\w*:\s*")
_NO_PAIR = re.compile(r"The key '([^']+)' does not exist in the namespace '([^']+)'")
_FLOWS_PREFIX = re.compile(r"^\w+ (?:\d{4}-\d{2}|\(no month\)) → \w+ failed:\s*")
_SPEECHLESS = "see the log of the task that is red"  # the flows' word when only the engine spoke


def last_word(messages: list[str]) -> str:
    """The error line that says what went wrong, without what the engine puts before it."""
    for message in messages:
        if match := _NO_PAIR.search(message):
            key, namespace = match.groups()
            return f"KV pair `{key}` of namespace {namespace} is missing: invoke deploy-flows"
    useful = [
        message
        for message in messages
        if not message.startswith(_ENGINES_WORDS) and _SPEECHLESS not in message
    ]
    if useful:
        return _FLOWS_PREFIX.sub("", useful[-1].splitlines()[-1].strip())
    engines = [message for message in messages if _SPEECHLESS not in message]
    # The first line of an exception is its message; the rest is where it came from.
    return _CLASS.sub("", engines[-1].splitlines()[0]) if engines else "its log has no error line"


def cells_of(months: Any) -> list[Cell]:
    """The cells in a backfill's input `months`: JSON text or what it parses to."""
    try:
        listed = json.loads(months) if isinstance(months, str) else months
        return [
            Cell(item["taxi"], Month.parse(item["month"]), item["destination"])
            for item in listed or []
        ]
    except (ValueError, TypeError, KeyError, EtlError):
        return []  # started by hand, with input that the flow itself refuses


def run_of(execution: Execution) -> Run | None:
    """A run from an execution; None for one that tells of no cell.

    RETRIED and RESUBMITTED executions tell of none: another one took over from them.
    """
    if execution.state in TERMINAL and execution.state not in ENDED:
        return None
    labels = execution.labels
    try:
        cell = Cell(labels["taxi"], Month.parse(labels["month"]), labels["destination"])
    except (KeyError, EtlError):
        return None
    heard = last_sign(execution)
    return Run(
        id=execution.id,
        cell=cell,
        state=ENDED.get(execution.state, RunState.LIVE),
        started=execution.start or heard,
        heard=heard,
        backfill=labels.get("backfill"),
        queued=execution.state in WAITING,
    )


def last_sign(execution: Execution) -> datetime:
    """When the engine last wrote of an execution or of one of its task runs."""
    states = [execution.raw.get("state") or {}, *(run.get("state") or {} for run in
                                                 execution.task_runs)]  # fmt: skip
    texts = [entry.get("date") for state in states for entry in state.get("histories") or ()]
    dates = [datetime.fromisoformat(text) for text in texts if text]
    known = [moment for moment in (execution.start, execution.end) if moment is not None]
    return max([*dates, *known], default=datetime.min.replace(tzinfo=UTC))
