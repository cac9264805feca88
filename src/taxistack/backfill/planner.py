"""From the states of the cells to what has to run. Pure: no clock, no network, no files."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from taxi_etl.errors import EtlError
from taxi_etl.month import Month
from taxistack.backfill.state import COURSE, DESTINATIONS, TAXIS, Cell, CellState, State
from taxistack.errors import UsageError


class Only(StrEnum):
    """Which cells to run. Each names exactly its cells; two can be asked together."""

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


class Order(StrEnum):
    """Which months come first."""

    OLDEST = "oldest"
    NEWEST = "newest"


WANTED: Mapping[Only, frozenset[State]] = {
    Only.MISSING: frozenset({State.MISSING}),
    Only.FAILED: frozenset({State.FAILED, State.STALE}),
    Only.ALL: frozenset({State.MISSING, State.FAILED, State.STALE, State.LOADED}),
}
MOST_PARALLEL = 8
"""Months at once: the widest Loop of the flow taxi_backfill, and the limit of the taxi flows."""

ALIKE = 4
"""How many times smaller or larger than any past load a file may be, to expect its time at all."""

# What `force` adds: a month that the source denied or that seems to be loading.
FORCED = frozenset({State.NOT_PUBLISHED, State.LOADING})


@dataclass(frozen=True)
class Request:
    """What was asked for. Build it with `Request.parse`, which checks it."""

    start: Month
    end: Month
    taxis: tuple[str, ...] = COURSE
    destinations: tuple[str, ...] = DESTINATIONS
    only: frozenset[Only] = frozenset({Only.MISSING})
    order: Order = Order.OLDEST
    parallel: int = 2
    force: bool = False
    cells: frozenset[Cell] | None = None
    """Only these cells of the range (what `verify --repair` mends)."""
    replace: bool = False
    """Overwrite lake objects that differ from the source."""

    @classmethod
    def parse(
        cls,
        start: str,
        end: str,
        *,
        taxi: str = "",
        destination: str = "all",
        only: str = "missing",
        order: str = "oldest",
        parallel: int = 2,
        force: bool = False,
    ) -> Request:
        """Read the flags of a command; no taxi means the course's.

        Raises UsageError with the flag and its rule.
        """
        first, last = _month("--start", start), _month("--end", end)
        if last < first:
            raise UsageError(f"--end {last} is before --start {first}")
        if not 1 <= parallel <= MOST_PARALLEL:
            raise UsageError(f"--parallel {parallel}: must be a whole number, 1 to {MOST_PARALLEL}")
        return cls(
            start=first,
            end=last,
            taxis=_choice("--taxi", taxi, TAXIS) if taxi else COURSE,
            destinations=_choice("--destination", destination, DESTINATIONS),
            only=frozenset(Only(word) for word in _choice("--only", only, tuple(Only))),
            order=Order(_choice("--order", order, tuple(Order), several=False)[0]),
            parallel=parallel,
            force=force,
        )

    @property
    def attaching(self) -> str:
        """The flags of a command that goes on with this one: the same months, and no others.

        Without `--force` and `--only all`, which would load again what is done by then.
        """
        flags = f"--start {self.start} --end {self.end}"
        if self.taxis != COURSE:
            flags += f" --taxi {','.join(self.taxis)}"
        if self.destinations != DESTINATIONS:
            flags += f" --destination {','.join(self.destinations)}"
        if self.only not in ({Only.MISSING}, {Only.ALL}):
            flags += f" --only {','.join(sorted(self.only))}"
        return flags

    def grid(self) -> list[Cell]:
        """Every cell of the range, oldest first."""
        return [
            Cell(taxi, month, destination)
            for month in Month.range(self.start, self.end)
            for destination in self.destinations
            for taxi in self.taxis
        ]


def _month(flag: str, text: str) -> Month:
    try:
        return Month.parse(str(text))
    except EtlError as error:
        raise UsageError(f"{flag}: {error}") from None


def _choice(flag: str, text: str, choices: Sequence[str], several: bool = True) -> tuple[str, ...]:
    if several and text == "all" and "all" not in choices:
        return tuple(choices)
    given = [part.strip() for part in text.split(",")]
    if not several and len(set(given)) > 1:
        raise UsageError(f"{flag} {text}: one of {', '.join(choices)}")
    for part in given:
        if part not in choices:
            words = choices if "all" in choices or not several else (*choices, "all")
            raise UsageError(f"{flag} {part!r}: must be one of {', '.join(words)}")
    return tuple(choice for choice in choices if choice in given)


@dataclass(frozen=True)
class LiveBackfill:
    """A taxi_backfill execution that has not ended.

    `heard`: the last moment that the engine wrote of it or of one of its children.
    """

    execution_id: str
    backfill: str
    cells: frozenset[Cell]
    heard: datetime


@dataclass(frozen=True)
class Expectation:
    """What a plan is expected to take. A total counts only what is known of."""

    executions: int
    bytes: int
    bytes_known_of: int
    rows: int
    rows_known_of: int
    seconds: float | None


@dataclass(frozen=True)
class PastRun:
    """One finished load, to expect the next ones from: compressed bytes and seconds."""

    destination: str
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """The state of every asked cell, the cells that will run, and the backfills that already run.

    `lost`: executions that the engine lost; they are ended before their months run again.
    `replace`: whether a differing lake object is overwritten.
    """

    request: Request
    source: str
    states: Mapping[Cell, CellState]
    steps: tuple[Cell, ...]
    attached: tuple[LiveBackfill, ...]
    lost: tuple[str, ...]
    replace: bool
    expected: Expectation
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def in_hand(self) -> frozenset[Cell]:
        """The asked cells that live backfills are loading or have before them."""
        return frozenset(
            cell
            for live in self.attached
            for cell in live.cells
            if cell in self.states and self.states[cell].state is State.LOADING
        )

    def count(self, state: State) -> int:
        """How many cells of the grid are in a state."""
        return sum(1 for known in self.states.values() if known.state is state)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-able data: the cells, what will run, what is expected."""
        steps = set(self.steps)
        expected = self.expected
        return {
            "source": self.source,
            "replace": self.replace,
            "executions": expected.executions,
            "expected_bytes": expected.bytes if expected.bytes_known_of else None,
            "expected_rows": expected.rows if expected.rows_known_of else None,
            "expected_seconds": None if expected.seconds is None else round(expected.seconds, 1),
            "attached": [live.backfill for live in self.attached],
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "cells": [
                {
                    "taxi": cell.taxi,
                    "month": str(cell.month),
                    "destination": cell.destination,
                    "state": str(known.state),
                    "reason": known.reason,
                    "attempt": known.attempt,
                    "execution": known.run.id if known.run else None,
                    "run": cell in steps,
                }
                for cell, known in sorted(self.states.items())
            ],
        }


def plan(
    request: Request,
    states: Mapping[Cell, CellState],
    *,
    source: str,
    live: Iterable[LiveBackfill] = (),
    lost: Iterable[LiveBackfill] = (),
    past: Iterable[PastRun] = (),
    published: Mapping[str, Mapping[str, int]] | None = None,
) -> Plan:
    """Choose and order the cells to run.

    `states`: one for every cell of `request.grid()`. `published`: known row counts by taxi
    and month, where the source is the release that they were counted in.
    """
    steps = _order(request, [cell for cell in request.grid() if _wanted(request, states[cell])])
    loading = {cell for cell, known in states.items() if known.state is State.LOADING}
    attached = [] if request.force else [backfill for backfill in live if backfill.cells & loading]
    problems = _problems(request, states)
    if (silence := _silence(request, steps, states)) is not None:
        steps, problems = [], (*problems, silence)
    rows = _expected_rows(steps, states, published or {})
    return Plan(
        request=request,
        source=source,
        states=dict(states),
        steps=tuple(steps),
        attached=tuple(attached),
        lost=_lost(steps, states, lost),
        # A file that changed at the source differs from its lake object, which is only
        # overwritten when asked to.
        replace=request.force
        or request.replace
        or any(states[cell].state is State.STALE for cell in steps),
        expected=_expect(request, steps, states, rows, list(past)),
        problems=problems,
        warnings=_warnings(states),
    )


def _lost(
    steps: Iterable[Cell], states: Mapping[Cell, CellState], backfills: Iterable[LiveBackfill]
) -> tuple[str, ...]:
    wanted = set(steps)
    parents = [backfill.execution_id for backfill in backfills if backfill.cells & wanted]
    return (*parents, *(run.id for cell in steps for run in states[cell].lost))


def _wanted(request: Request, known: CellState) -> bool:
    if request.cells is not None and known.cell not in request.cells:
        return False
    wanted = frozenset().union(*(WANTED[only] for only in request.only))
    return known.state in (wanted | FORCED if request.force else wanted)


def _order(request: Request, cells: list[Cell]) -> list[Cell]:
    # Within a month, neighbours load different files into different tables wherever they can:
    # the steps that run side by side then seldom wait for each other.
    cells.sort(key=lambda cell: (cell.destination, cell.taxi))
    cells.sort(key=lambda cell: cell.month, reverse=request.order is Order.NEWEST)
    return cells


def _expected_rows(
    steps: Iterable[Cell],
    states: Mapping[Cell, CellState],
    published: Mapping[str, Mapping[str, int]],
) -> dict[Cell, int]:
    by_file = {
        (cell.taxi, cell.month): known.load.rows
        for cell, known in states.items()
        if known.load and known.state is not State.STALE
    }
    known = {}
    for cell in steps:
        rows = by_file.get((cell.taxi, cell.month))
        if rows is None:
            rows = published.get(cell.taxi, {}).get(str(cell.month))
        if rows is not None:
            known[cell] = rows
    return known


def _expect(
    request: Request,
    steps: Sequence[Cell],
    states: Mapping[Cell, CellState],
    rows: Mapping[Cell, int],
    past: Sequence[PastRun],
) -> Expectation:
    sizes = {cell: size for cell in steps if (size := _size(states[cell])) is not None}
    guesses = [_seconds(cell, sizes.get(cell), past) for cell in steps]
    known = [seconds for seconds in guesses if seconds is not None]
    seconds = None
    if steps and len(known) == len(steps):
        lanes = min(request.parallel, len(steps))
        seconds = max(sum(known) / lanes, max(known))
    return Expectation(
        executions=len(steps) + (1 if steps else 0),
        bytes=sum(sizes.values()),
        bytes_known_of=len(sizes),
        rows=sum(rows.values()),
        rows_known_of=len(rows),
        seconds=seconds,
    )


def _size(known: CellState) -> int | None:
    if known.source is not None and known.source.length is not None:
        return known.source.length
    return known.load.source_bytes if known.load else None


def _seconds(cell: Cell, size: int | None, past: Sequence[PastRun]) -> float | None:
    """Seconds expected of one load: a line through the past ones of its destination."""
    runs = [run for run in past if run.destination == cell.destination]
    if not runs:
        return None
    typical = statistics.median(run.seconds for run in runs)
    sizes = [run.bytes for run in runs]
    # Loads of files of another kind tell nothing: samples of the real months, and the reverse.
    if size is not None and not min(sizes) / ALIKE <= size <= max(sizes) * ALIKE:
        return None
    # Through files of about one size a line follows the noise, and far from them it says anything.
    if size is None or max(sizes) < 2 * min(sizes) or max(sizes) == 0:
        return typical
    slope, start = statistics.linear_regression(sizes, [run.seconds for run in runs])
    if slope <= 0 or start < 0:  # a load takes its time even when the file is empty
        return typical
    return start + slope * size


def _problems(request: Request, states: Mapping[Cell, CellState]) -> tuple[str, ...]:
    problems = []
    for taxi in request.taxis:
        mine = [known for cell, known in states.items() if cell.taxi == taxi]
        if mine and all(known.state is State.NOT_PUBLISHED for known in mine):
            first = min(mine, key=lambda known: known.cell)
            problems.append(
                nothing_published(request, taxi, first.source.url if first.source else None)
            )
    return tuple(problems)


def _silence(
    request: Request, steps: Iterable[Cell], states: Mapping[Cell, CellState]
) -> str | None:
    """A problem when the source does not answer: every load would fail for the same reason."""
    sources = [states[cell].source for cell in steps]
    if request.force or not sources or not all(source and source.silent for source in sources):
        return None
    problem = sources[0].problem if sources[0] else ""
    refused = "the source does not answer, so nothing was started (--force tries all the same)"
    return f"{refused}: {problem}"


def nothing_published(request: Request, taxi: str, url: str | None) -> str:
    """The message that no month of the range is published; `url`: one that was looked for."""
    example = f", for example {url}" if url else ""
    return f"no month of {taxi} from {request.start} to {request.end} is published{example}"


def _warnings(states: Mapping[Cell, CellState]) -> tuple[str, ...]:
    silent = {
        known.source.problem: known.source
        for known in states.values()
        if known.source is not None and known.source.problem
    }
    if not silent:
        return ()
    return (
        f"the source did not say whether {len(silent)} of the files are published: "
        f"{next(iter(silent))}",
    )
