"""What the tables hold of each month: one aggregating query for each table."""

from __future__ import annotations

from taxi_etl.compare import TableMonth
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.sessions import read_from


def read(
    context: BackfillContext,
    taxi: str,
    destination: str,
    start: Month,
    end: Month,
    *,
    duplicates: bool = False,
) -> dict[Month, TableMonth]:
    """The months of a table that have rows; empty when there is no table.

    `duplicates`: also count identical rows, which reads every column. Raises FailedError when
    the destination does not answer.
    """
    return read_from(
        context,
        destination,
        f"table {TAXIS[taxi].table}",
        lambda place, session: place.months(
            session, TAXIS[taxi], start, end, duplicates=duplicates
        ),
    )
