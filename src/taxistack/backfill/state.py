"""Cells of the grid, and the rule that gives each cell its state.

A cell is one (taxi, month, destination). Its state is never stored: it is derived from the
ledger (what was loaded), the labelled executions (what runs, what failed) and the source
(what is published), so it can't disagree with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from taxi_etl import destinations, schema
from taxi_etl.compare import absence, suspicion
from taxi_etl.errors import NOTHING_LOADED
from taxi_etl.ledger import Entry
from taxi_etl.month import Month

if TYPE_CHECKING:
    from taxi_etl.download import Remote

TAXIS = tuple(sorted(schema.TAXIS))
COURSE = ("green", "yellow")
"""The series that are meant where none is named: those of the course's homework and schedules.

Another one is loaded when it is asked for by name, because it costs more than it seems: one
month of fhv has up to 23 million rows.
"""
DESTINATIONS = tuple(sorted(destinations.MODULES))

# A task of the taxi flows may take an hour (its time-out) without a word; an execution that was
# not heard of for longer will not come back.
LOST_AFTER = timedelta(minutes=75)


class State(StrEnum):
    """What is known of a cell."""

    NOT_PUBLISHED = "not published"
    MISSING = "missing"
    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"
    STALE = "stale"


@dataclass(frozen=True, order=True)
class Cell:
    """One month of one taxi in one destination."""

    taxi: str
    month: Month
    destination: str

    def __str__(self) -> str:
        """As a person says it."""
        return f"{self.taxi} {self.month} in {self.destination}"

    @property
    def series(self) -> schema.Taxi:
        """The taxi with its columns."""
        return schema.TAXIS[self.taxi]

    @property
    def place(self) -> destinations.Destination[Any]:
        """The destination itself; imports its libraries."""
        return destinations.get(self.destination)


class RunState(StrEnum):
    """The states of an execution, as far as a cell cares."""

    LIVE = "live"
    SUCCESS = "success"
    WARNING = "warning"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Run:
    """One execution of a taxi flow, read by its labels.

    `heard`: the last moment that the engine wrote of it. `attempt`: 1 for the first try of
    this cell among the executions that were read.
    """

    id: str
    cell: Cell
    state: RunState
    started: datetime
    heard: datetime
    backfill: str | None = None
    queued: bool = False
    attempt: int = 1

    @property
    def seconds(self) -> float:
        """From the start to the last sign of life, in seconds."""
        return max((self.heard - self.started).total_seconds(), 0.0)


@dataclass(frozen=True)
class SourceFile:
    """What the source says of one month file.

    `published` is None when the source did not tell; `problem` then says why, and `silent`
    whether nobody answered at all. `sha256` is that of the bytes, where they were looked at.
    """

    taxi: str
    month: Month
    url: str
    published: bool | None
    length: int | None = None
    etag: str | None = None
    problem: str | None = None
    silent: bool = False
    sha256: str | None = None

    @property
    def remote(self) -> Remote | None:
        """The same as the steps know it; None when there is no such file, or nobody knows."""
        if not self.published:
            return None
        from taxi_etl.download import Remote  # with it comes what asks the site

        return Remote(self.etag or "", "", self.length, self.sha256)


@dataclass(frozen=True)
class CellState:
    """A cell, its state, and why."""

    cell: Cell
    state: State
    reason: str | None = None
    load: Entry | None = None
    run: Run | None = None
    source: SourceFile | None = None
    lost: tuple[Run, ...] = ()

    @property
    def attempt(self) -> int | None:
        """The number of the last try, None when it was never tried."""
        return self.run.attempt if self.run else None

    @property
    def refused(self) -> bool:
        """Whether the last load ended at the source's file: none, or not that month's.

        Another load ends so too, until the source has another file.
        """
        return self.state is State.FAILED and NOTHING_LOADED in (self.reason or "")

    def because(self, reason: str) -> CellState:
        """The same with another reason."""
        return replace(self, reason=reason)


def staleness(load: Entry, source: SourceFile | None) -> str | None:
    """Why a loaded month no longer equals its source file; None when nothing says so."""
    remote = source.remote if source is not None else None
    return suspicion(load, remote) if remote is not None else None


def _gone(load: Entry, source: SourceFile | None) -> str | None:
    if source is None or source.published is not False:
        return None
    return absence(load.url, source.url)


def is_lost(run: Run, load: Entry | None, now: datetime, after: timedelta = LOST_AFTER) -> bool:
    """Whether the engine lost a live execution: silent for too long, or its load is long done.

    An execution in a queue waits for its turn; it is not lost.
    """
    if run.state is not RunState.LIVE:
        return False
    if run.queued:
        return False
    if load and load.execution_id == run.id and now - max(run.heard, load.loaded_at) > after / 3:
        return True
    return now - run.heard > after


def state_of(
    cell: Cell,
    *,
    load: Entry | None,
    runs: Iterable[Run],
    source: SourceFile | None,
    now: datetime,
    claimed_by: str | None = None,
    lost_after: timedelta = LOST_AFTER,
) -> CellState:
    """Derive the state of one cell.

    `runs`: its executions, any order. `claimed_by`: the id of a live backfill that has this
    cell still before it. `now`: aware time, for telling a slow execution from a lost one.
    """
    ordered = sorted(runs, key=lambda run: (run.started, run.id))
    numbered = [replace(run, attempt=n) for n, run in enumerate(ordered, 1)]
    lost = tuple(run for run in numbered if is_lost(run, load, now, lost_after))
    live = [run for run in numbered if run.state is RunState.LIVE and run not in lost]
    last = numbered[-1] if numbered else None
    base = CellState(cell, State.MISSING, load=load, run=last, source=source, lost=lost)
    if live:
        reason = f"execution {live[-1].id} runs"
        return replace(base, state=State.LOADING, run=live[-1], reason=reason)
    if claimed_by:
        return replace(base, state=State.LOADING, reason=f"waits in backfill {claimed_by}")
    # The ledger row and the rows are committed together, before the reconciling step: a run
    # that failed there failed after its own ledger row.
    failed = last if last is not None and last.state is RunState.FAILED else None
    if failed and (
        load is None or failed.started > load.loaded_at or failed.id == load.execution_id
    ):
        return replace(base, state=State.FAILED, reason=f"execution {failed.id} failed")
    if load is not None:
        why = staleness(load, source)
        return replace(
            base, state=State.STALE if why else State.LOADED, reason=why or _gone(load, source)
        )
    if source is not None and source.published is False:
        return replace(base, state=State.NOT_PUBLISHED, reason=f"{source.url} does not exist")
    # A load that finds no file ends as a warning. It is believed only while the source itself
    # can't be asked: the file may have been published since.
    unknown = source is None or source.published is None
    if unknown and last is not None and last.state is RunState.WARNING:
        reason = f"execution {last.id} found no file"
        return replace(base, state=State.NOT_PUBLISHED, reason=reason)
    return replace(base, reason=_why_missing(last, lost, source))


def _why_missing(last: Run | None, lost: tuple[Run, ...], source: SourceFile | None) -> str | None:
    if lost:
        return f"the engine lost execution {lost[-1].id}"
    if last is not None and last.state is RunState.CANCELLED:
        return f"execution {last.id} was cancelled"
    if last is not None and last.state is RunState.SUCCESS:
        return f"execution {last.id} succeeded, but the ledger has no row"
    return source.problem if source is not None else None
