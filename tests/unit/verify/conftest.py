"""A proven month, from which each test takes something away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from taxi_etl.compare import TableMonth
from taxi_etl.lake import LakeObject
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxistack.backfill.state import Cell, CellState, State
from taxistack.verify.compare import Known

AT = datetime(2026, 10, 25, tzinfo=UTC)


class Proven:
    """Builds what was read of one month that is right."""

    def known(self, destination: str = "postgres", state: State = State.LOADED, **load) -> Known:
        cell = Cell("green", Month(2020, 10), destination)
        fields = {
            "taxi": "green", "month": cell.month, "source_url": "http://site/x", "etag": '"a"',
            "source_bytes": 1000,
            "csv_bytes": 5000, "sha256": "ab", "crc32c": "AAAAAA==", "rows": 100,
            "total_amount": Decimal("12.30"), "object": "gs://lake/raw/x", "generation": 1,
            "job_id": "job",
            "execution_id": "exec", "started_at": AT, "loaded_at": AT,
        }  # fmt: skip
        return Known(
            CellState(cell, state, load=Entry(**{**fields, **load})),
            TableMonth(100, Decimal("12.3"), 100, 777, 0, 3, 4, 5),
            LakeObject("lake", "raw/x", 1000, "AAAAAA==", 1),
        )

    def without_load(self, state: State, **changes) -> Known:
        known = self.known()
        return replace(known, state=CellState(known.state.cell, state), **changes)

    def table(self, known: Known, **changes) -> Known:
        return replace(known, table=replace(known.table, **changes))


@pytest.fixture
def proven() -> Proven:
    """Builders of a month that is right."""
    return Proven()


@pytest.fixture
def at() -> datetime:
    """When it was read."""
    return AT
