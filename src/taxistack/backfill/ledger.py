"""The ledgers beside the tables, read once for each destination."""

from __future__ import annotations

from taxi_etl.ledger import Entry
from taxi_etl.month import EVER, Month
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.sessions import opened, read_from
from taxistack.backfill.state import Cell

Ledger = dict[Cell, Entry]


def read(
    context: BackfillContext, destination: str, start: Month | None, end: Month | None
) -> Ledger:
    """The current ledger rows of a destination between two months (inclusive, None = open).

    An empty ledger when nothing was ever loaded. Raises FailedError when the destination does
    not answer.
    """
    entries = read_from(
        context,
        destination,
        "ledger",
        lambda place, session: place.entries(session, start or EVER[0], end or EVER[1]),
    )
    return {Cell(entry.taxi, entry.month, destination): entry for entry in entries}


def record(context: BackfillContext, cell: Cell, entry: Entry) -> None:
    """Append a row to the ledger of the cell's destination. Raises FailedError."""
    with opened(context, cell.destination, "ledger") as (place, session):
        place.record(session, entry)
