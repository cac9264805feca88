"""The result of a load, whatever the destination."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


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
