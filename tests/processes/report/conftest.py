"""A verification of two taxis over some years, with every state in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from taxi_etl.compare import TableMonth
from taxi_etl.lake import LakeObject
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxistack.backfill.state import COURSE, Cell, CellState, SourceFile, State
from taxistack.sources import PUBLIC_SOURCE
from taxistack.verify.compare import Known
from taxistack.verify.verification import Verification, VerifyRequest, check_all

AT = datetime(2026, 10, 25, tzinfo=UTC)
BOTH = ("bigquery", "postgres")
ODD: dict[tuple[str, str], tuple[State, str | None]] = {
    ("2020-02", "postgres"): (State.FAILED, "short row 17 <b>"),
    ("2020-03", "postgres"): (State.STALE, "the source has 2 bytes, 1 were loaded"),
    ("2020-04", "bigquery"): (State.LOADING, "execution e runs"),
    ("2020-05", "postgres"): (State.MISSING, None),
    ("2020-06", "bigquery"): (State.NOT_PUBLISHED, None),
    ("2020-06", "postgres"): (State.NOT_PUBLISHED, None),
}


def known(cell: Cell, state: State, reason: str | None, rows: int) -> Known:
    held = state in (State.LOADED, State.STALE)
    total = Decimal(rows) * Decimal("10.01")
    load = Entry(
        cell.taxi, cell.month, "u", "e", 1000, 5000, "s", "c", rows, total, "gs://lake/x", 1, "j",
        "exec",
        AT - timedelta(seconds=rows / 50), AT,
    )  # fmt: skip
    changed = None
    if state is State.STALE:
        changed = SourceFile(cell.taxi, cell.month, "u", True, length=2)
    return Known(
        CellState(cell, state, reason, load=load if held else None, source=changed),
        TableMonth(rows, total, rows, rows, 0, 1, rows // 10, 2, 3) if held else None,
        LakeObject("lake", "x", 1000, "c", 1) if held else None,
    )


@pytest.fixture(scope="session")
def verification() -> Callable[..., Verification]:
    """Builds a verification of so many months from 2019-01; `odd`: with every state in it."""

    def build(
        months: int = 18,
        *,
        odd: bool = False,
        source: str = "http://site",
        taxis: tuple[str, ...] = COURSE,
    ) -> Verification:
        listed = [Month(2019, 1)]
        while len(listed) < months:
            listed.append(listed[-1].next())
        cells = [Cell(t, m, d) for t in taxis for m in listed for d in BOTH]
        found: list[Known] = []
        for cell in cells:
            odd_one = ODD.get((str(cell.month), cell.destination)) if odd else None
            state, reason = odd_one or (State.LOADED, None)
            rows = 1000 + 37 * cell.month.number + (5000 if cell.taxi == "yellow" else 0)
            found.append(known(cell, state, reason, rows))
        request = VerifyRequest(listed[0], listed[-1], taxis, BOTH)
        return Verification(request, source, tuple(check_all(found)), AT, 1.5)

    return build


@pytest.fixture
def public() -> str:
    """The source whose row counts are known."""
    return PUBLIC_SOURCE
