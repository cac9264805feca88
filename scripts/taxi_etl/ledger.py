"""The ledger's rows: what a finished load noted, in the same columns in both destinations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from taxi_etl.facts import Facts
from taxi_etl.month import Month
from taxi_etl.schema import Taxi


@dataclass(frozen=True)
class Entry:
    """One row of the ledger; the fields are schema.LEDGER_COLUMNS in order."""

    taxi: str
    month: date
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


def values(
    taxi: Taxi, month: Month, facts: Facts, job_id: str, execution_id: str, started: datetime
) -> tuple[Any, ...]:
    """A new row's values in order, without the last: the server's clock sets loaded_at."""
    return (
        taxi.name,
        month.first_day,
        facts.url,
        facts.etag,
        facts.source_bytes,
        facts.csv_bytes,
        facts.sha256,
        facts.crc32c,
        facts.rows,
        facts.total_amount,
        facts.object,
        facts.generation,
        job_id,
        execution_id,
        started,
    )
