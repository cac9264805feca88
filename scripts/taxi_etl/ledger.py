"""The ledger's rows: what a finished load noted, in the same columns in every destination."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from taxi_etl.facts import Facts
from taxi_etl.month import Month


@dataclass(frozen=True)
class Entry:
    """One row of the ledger; the fields are schema.LEDGER_COLUMNS in order."""

    taxi: str
    month: Month
    source_url: str
    etag: str
    source_bytes: int
    csv_bytes: int
    sha256: str
    crc32c: str
    rows: int
    total_amount: Decimal
    object: str
    generation: int
    job_id: str
    execution_id: str
    started_at: datetime
    loaded_at: datetime

    @classmethod
    def new(
        cls, taxi: str, month: Month, facts: Facts, job: str, execution: str, started: datetime
    ) -> Entry:
        """The row of a load that ends now."""
        return cls(
            taxi, month, facts.url, facts.etag, facts.source_bytes, facts.csv_bytes, facts.sha256,
            facts.crc32c, facts.rows, facts.total_amount, facts.object, facts.generation, job,
            execution, started, datetime.now(UTC),
        )  # fmt: skip

    @classmethod
    def read(cls, row: Iterable[Any]) -> Entry:
        """A row as a driver gives it: the columns in order, some of them null."""
        taxi, month, url, etag, *numbers = row
        source, text, sha256, crc32c, rows, total, name, generation, *rest = numbers
        job, execution, started, loaded = rest
        return cls(
            taxi, Month.of(month), url, etag or "", int(source), int(text), sha256, crc32c,
            int(rows), Decimal(str(total)), name, int(generation), job or "", execution or "",
            _aware(started), _aware(loaded),
        )  # fmt: skip

    def values(self) -> tuple[str | int | Decimal | date | datetime, ...]:
        """The row's values in the order of the columns."""
        return (self.taxi, self.month.first_day, *astuple(self)[2:])

    def confirmed(self, etag: str) -> Entry:
        """The row that notes another ETag of the same bytes.

        It is the same load, so its time is the load's, a microsecond later: the view
        `loads_current` takes the last row.
        """
        return replace(self, etag=etag, loaded_at=self.loaded_at + timedelta(microseconds=1))

    @property
    def url(self) -> str:
        """Where the file came from, as `Facts` call it."""
        return self.source_url

    @property
    def seconds(self) -> float:
        """How long the load took, in seconds."""
        return max((self.loaded_at - self.started_at).total_seconds(), 0.0)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
