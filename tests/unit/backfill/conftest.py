"""Builders of what the backfill reads: ledger rows, runs, source files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from taxi_etl.month import Month
from taxistack.backfill.state import Cell, Load, Run, RunState, SourceFile

NOW = datetime(2026, 10, 25, 12, tzinfo=UTC)


class Make:
    """Builds one thing of a cell with sensible values; every value can be given."""

    now = NOW
    cell = Cell("green", Month(2019, 1), "postgres")

    def load(self, cell: Cell | None = None, **values: object) -> Load:
        """A ledger row, loaded two hours ago."""
        cell = cell or self.cell
        fields = {
            "cell": cell,
            "source_url": f"http://site/{cell.taxi}/{cell.taxi}_tripdata_{cell.month}.csv.gz",
            "etag": '"a"',
            "source_bytes": 1000,
            "csv_bytes": 5000,
            "sha256": "00" * 32,
            "crc32c": "AAAAAA==",
            "rows": 100,
            "total_amount": Decimal("1234.50"),
            "object": f"gs://lake/raw/{cell.taxi}/{cell.taxi}_tripdata_{cell.month}.csv.gz",
            "generation": "1",
            "execution_id": "old",
            "started_at": NOW - timedelta(hours=2, seconds=10),
            "loaded_at": NOW - timedelta(hours=2),
        }
        return Load(**{**fields, **values})

    def run(
        self, state: RunState = RunState.SUCCESS, minutes_ago: float = 60, **values: object
    ) -> Run:
        """A run that started so many minutes ago and was heard of a minute later."""
        started = NOW - timedelta(minutes=minutes_ago)
        fields = {
            "id": f"run-{minutes_ago}",
            "cell": self.cell,
            "state": state,
            "started": started,
            "heard": started + timedelta(minutes=1),
        }
        return Run(**{**fields, **values})

    def source(self, published: bool | None = True, **values: object) -> SourceFile:
        """The source file of the usual cell, equal to the usual load."""
        fields = {"length": 1000, "etag": '"a"'} if published else {}
        url = f"http://site/{self.cell.taxi}/file.csv.gz"
        return SourceFile(self.cell.taxi, self.cell.month, url, published, **{**fields, **values})


@pytest.fixture(scope="session")
def make() -> Make:
    """Builders with sensible values."""
    return Make()
