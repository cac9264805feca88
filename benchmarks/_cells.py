"""Made-up cells (a taxi, a month, a destination): loaded, with past executions, and right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from taxi_etl.compare import TableMonth
from taxi_etl.lake import LakeObject
from taxi_etl.ledger import Entry
from taxistack.backfill.planner import Request
from taxistack.backfill.state import Cell, CellState, Run, RunState, State
from taxistack.verify.compare import Known
from taxistack.verify.verification import Verification, VerifyRequest, check_all

NOW = datetime(2026, 10, 25, tzinfo=UTC)


def load_of(cell: Cell) -> Entry:
    """The ledger row of a cell."""
    rows = 1000 + 37 * cell.month.number
    return Entry(
        cell.taxi, cell.month, "http://site/x", '"a"', 1000, 5000, "s", "c", rows,
        Decimal(rows) * 10, "gs://lake/x", 1, "job", "exec",
        NOW - timedelta(seconds=rows / 90), NOW,
    )  # fmt: skip


def half_loaded(cells: Sequence[Cell]) -> dict[Cell, Entry]:
    """The ledger of every second cell."""
    return {cell: load_of(cell) for cell in cells[::2]}


def runs_of(cells: Iterable[Cell]) -> dict[Cell, list[Run]]:
    """Three past executions of each cell."""
    return {
        cell: [
            Run(f"{cell}-{n}", cell, RunState.SUCCESS, NOW - timedelta(hours=n + 1), NOW)
            for n in range(3)
        ]
        for cell in cells
    }


def verified(request: Request) -> Verification:
    """Every cell of the range, loaded and right."""
    known = []
    for cell in request.grid():
        load = load_of(cell)
        table = TableMonth(load.rows, load.total_amount, load.rows, 1, 0, 1, load.rows // 10, 2, 0)
        state = CellState(cell, State.LOADED, load=load)
        known.append(Known(state, table, LakeObject("lake", "x", 1000, "c", 1)))
    asked = VerifyRequest(request.start, request.end)
    found = Verification(asked, "http://site", (), NOW, 1.0)
    return replace(found, checks=tuple(check_all(known)))
