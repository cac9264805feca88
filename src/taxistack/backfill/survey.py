"""Reads what is known of every asked cell: ledgers, executions and source, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from taxi_etl import release
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxistack.backfill import ledger
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.executions import NOT_DONE, Executions, together
from taxistack.backfill.planner import LiveBackfill, PastRun, Plan, Request, plan
from taxistack.backfill.state import (
    LOST_AFTER,
    Cell,
    CellState,
    Run,
    RunState,
    SourceFile,
    State,
    state_of,
)
from taxistack.published_counts import PUBLISHED_COUNTS
from taxistack.sources import PUBLIC_SOURCE

if TYPE_CHECKING:
    from taxistack.backfill import source


@dataclass(frozen=True)
class Survey:
    """Everything that was read, and the state of each cell that follows from it."""

    source: str
    states: Mapping[Cell, CellState]
    live: tuple[LiveBackfill, ...]
    lost: tuple[LiveBackfill, ...]
    past: tuple[PastRun, ...]
    files: Mapping[tuple[str, Month], SourceFile]


def plan_backfill(
    context: BackfillContext, request: Request, *, check_source: bool = True, note: bool = True
) -> Plan:
    """Survey the asked range and choose what has to run.

    `check_source`: ask the source about every month (HEAD), which tells what is not published
    and what changed. `note`: see `survey`. Raises FailedError when a ledger or Kestra does not
    answer.
    """
    known = survey(context, request.grid(), check_source=check_source, to_load=True, note=note)
    return plan(
        request,
        known.states,
        source=release.shown(known.source),
        live=known.live,
        lost=known.lost,
        past=known.past,
        published=PUBLISHED_COUNTS if is_public(known.source) else None,
    )


def is_public(source_url: str) -> bool:
    """Whether a source is the course's public release, whose row counts are known."""
    return source_url.rstrip("/") == PUBLIC_SOURCE


def survey(
    context: BackfillContext,
    cells: Iterable[Cell],
    *,
    check_source: bool = True,
    to_load: bool = False,
    note: bool = True,
) -> Survey:
    """Read both ledgers, the executions and the source at once; derive every cell's state.

    `to_load`: sample months count as published before they are made, which loading them does.
    `note`: the source's new ETag of bytes that are as loaded goes into the ledger.
    """
    wanted = sorted(set(cells))
    executions = Executions(context.kestra())
    with ThreadPoolExecutor(7) as pool:
        # Of all months: those outside the range tell how long a load takes.
        ledgers = [
            pool.submit(ledger.read, context, destination, None, None)
            for destination in sorted({cell.destination for cell in wanted})
        ]
        asked = pool.submit(executions.runs_of, [cell.month for cell in wanted], NOT_DONE)
        living = pool.submit(executions.living)
        recent = pool.submit(executions.recent_loads)
        live = pool.submit(executions.live_backfills)
        base = context.source
        loads = {cell: load for future in ledgers for cell, load in future.result().items()}
        files = _looked_at(base, wanted, loads) if check_source else {}
        if to_load and context.serves_samples:
            files = {name: _made_when_loaded(file) for name, file in files.items()}
    now = datetime.now(UTC)
    confirmed = _confirmed(wanted, loads, files)
    if note:
        for cell, entry in confirmed.items():
            ledger.record(context, cell, entry)
    loads |= confirmed
    # A live backfill may have other months before it than those that are asked for.
    theirs = [executions.runs(backfill.backfill) for backfill in live.result()]
    known = together(asked.result(), living.result(), recent.result(), *theirs)
    ran = _with_last_signs(known, executions, now)
    alive, lost = part_lost(live.result(), ran, now)
    claims = claims_of(alive, ran)
    states = derive(wanted, loads, ran, files, claims, now)
    # One that failed may have succeeded since, long ago: then the ledger has lost its row.
    failed = [cell.month for cell, known in states.items() if known.state is State.FAILED]
    if failed:
        ran = together(ran, executions.runs_of(failed, ["SUCCESS"]))
        again = [cell for cell in wanted if cell.month in set(failed)]
        states |= derive(again, loads, ran, files, claims, now)
    return Survey(
        source=base,
        states=_with_reasons(states, executions),
        live=alive,
        lost=lost,
        past=tuple(past_runs(ran, loads)),
        files=files,
    )


def _made_when_loaded(file: SourceFile) -> SourceFile:
    """A sample month that nobody asked for yet is there as soon as somebody does."""
    return replace(file, published=True) if file.published is False else file


def _looked_at(
    base: str, wanted: Iterable[Cell], loads: Mapping[Cell, Entry]
) -> dict[source.File, SourceFile]:
    loaded: dict[source.File, list[Entry]] = {(cell.taxi, cell.month): [] for cell in wanted}
    for cell, entry in loads.items():
        if (cell.taxi, cell.month) in loaded:
            loaded[cell.taxi, cell.month].append(entry)
    from taxistack.backfill import source  # requests comes with it

    return source.look(base, loaded, loaded)


def _confirmed(
    wanted: Iterable[Cell],
    loads: Mapping[Cell, Entry],
    files: Mapping[source.File, SourceFile],
) -> dict[Cell, Entry]:
    """The rows with the source's new ETag, of bytes that were compared and found equal.

    Without them in the ledger they would be fetched again whenever somebody asks.
    """
    confirmed = {}
    for cell in wanted:
        entry, file = loads.get(cell), files.get((cell.taxi, cell.month))
        if entry is None or file is None or not file.etag or file.etag == entry.etag:
            continue
        if file.sha256 == entry.sha256:
            confirmed[cell] = entry.confirmed(file.etag)
    return confirmed


def derive(
    cells: Iterable[Cell],
    loads: Mapping[Cell, Entry],
    runs: Mapping[Cell, list[Run]],
    files: Mapping[tuple[str, Month], SourceFile],
    claims: Mapping[Cell, str],
    now: datetime,
) -> dict[Cell, CellState]:
    """The state of each cell from what was read. Pure."""
    return {
        cell: state_of(
            cell,
            load=loads.get(cell),
            runs=runs.get(cell, []),
            source=files.get((cell.taxi, cell.month)),
            now=now,
            claimed_by=claims.get(cell),
        )
        for cell in cells
    }


def _with_last_signs(
    runs: Mapping[Cell, list[Run]], executions: Executions, now: datetime
) -> dict[Cell, list[Run]]:
    heard = executions.heard_again([run for ran in runs.values() for run in ran], now)
    return {
        cell: [replace(run, heard=heard.get(run.id, run.heard)) for run in ran]
        for cell, ran in runs.items()
    }


def part_lost(
    live: Iterable[LiveBackfill], runs: Mapping[Cell, list[Run]], now: datetime
) -> tuple[tuple[LiveBackfill, ...], tuple[LiveBackfill, ...]]:
    """Live backfills in two lists: those that go on, and those that the engine lost."""
    last: dict[str, datetime] = {}
    for run in (run for ran in runs.values() for run in ran):
        if run.backfill:
            last[run.backfill] = max(run.heard, last.get(run.backfill, run.heard))
    alive: list[LiveBackfill] = []
    lost: list[LiveBackfill] = []
    for backfill in live:
        heard = max(backfill.heard, last.get(backfill.backfill, backfill.heard))
        (lost if now - heard > LOST_AFTER else alive).append(backfill)
    return tuple(alive), tuple(lost)


def claims_of(live: Iterable[LiveBackfill], runs: Mapping[Cell, list[Run]]) -> dict[Cell, str]:
    """The cells that live backfills still have before them, and which backfill it is."""
    return {
        cell: backfill.backfill
        for backfill in live
        for cell in backfill.cells
        if not any(run.backfill == backfill.backfill for run in runs.get(cell, []))
    }


def past_runs(runs: Mapping[Cell, list[Run]], loads: Mapping[Cell, Entry]) -> list[PastRun]:
    """Finished loads with their size and time, to expect the next ones from."""
    return [
        PastRun(cell.destination, loads[cell].source_bytes, run.seconds)
        for cell, ran in runs.items()
        if cell in loads
        for run in ran
        if run.state is RunState.SUCCESS
    ]


def _with_reasons(
    states: Mapping[Cell, CellState], executions: Executions
) -> dict[Cell, CellState]:
    """Failed cells with the reason that their execution's log gives."""
    failed = {
        cell: known.run
        for cell, known in states.items()
        if known.state is State.FAILED and known.run
    }
    reasons = executions.reasons(failed.values())
    return {
        cell: known.because(
            f"{reasons[failed[cell].id]} (invoke logs --execution {failed[cell].id})"
        )
        if cell in failed
        else known
        for cell, known in states.items()
    }
