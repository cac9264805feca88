"""Step load: a month from the lake into a destination's table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from taxi_etl.destinations import Destination, Order


@dataclass(frozen=True)
class Loaded:
    """One month is in its table: how many rows, their sum, by which job, from when to when."""

    rows: int
    total_amount: Decimal
    job_id: str
    started_at: datetime
    loaded_at: datetime

    def to_json(self) -> dict[str, object]:
        """The outputs of the step."""
        return {
            "rows": self.rows,
            "total_amount": str(self.total_amount),
            "job_id": self.job_id,
            "seconds": round((self.loaded_at - self.started_at).total_seconds(), 3),
        }


def load(destination: Destination[Any], order: Order) -> Loaded:
    """Replace that month in the taxi's table by the lake object of the order's facts.

    Raises LakeConflict when the lake does not hold that object any more, LoadFailed, Busy or
    Transient; the table is then as it was.
    """
    what = f"{order.taxi.table}, month {order.month}"
    with destination.explaining(what), destination.connect() as session:
        destination.create(session)
        job = destination.replace(session, order)
    facts = order.facts
    return Loaded(facts.rows, facts.total_amount, job, order.started, datetime.now(UTC))
