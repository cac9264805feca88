"""The ledgers beside the tables, read once for each destination."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from google.cloud import bigquery
from psycopg import sql

from taxi_etl.month import Month
from taxi_etl.schema import LEDGER_COLUMNS, LEDGER_VIEW
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.query import bigquery_rows, postgres_rows
from taxistack.backfill.state import Cell, Load

COLUMNS = tuple(column.name for column in LEDGER_COLUMNS)
Ledger = dict[Cell, Load]


def read(
    context: BackfillContext, destination: str, start: Month | None, end: Month | None
) -> Ledger:
    """The current ledger rows of a destination between two months (inclusive, None = open).

    An empty ledger when nothing was ever loaded. Raises FailedError when the destination does
    not answer.
    """
    rows = _READERS[destination](context, start, end)
    loads = (load_of(row, destination) for row in rows)
    return {load.cell: load for load in loads}


def load_of(row: Mapping[str, Any], destination: str) -> Load:
    """One ledger row, whatever types the driver gave it."""
    return Load(
        cell=Cell(row["taxi"], Month.parse(str(row["month"])[:10]), destination),
        source_url=row["source_url"],
        etag=row["etag"],
        source_bytes=int(row["source_bytes"]),
        csv_bytes=int(row["csv_bytes"]),
        sha256=row["sha256"],
        crc32c=row["crc32c"],
        rows=int(row["rows"]),
        total_amount=Decimal(str(row["total_amount"])),
        object=row["object"],
        generation=str(row["generation"]),
        execution_id=row["execution_id"] or "",
        started_at=_aware(row["started_at"]),
        loaded_at=_aware(row["loaded_at"]),
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bounds(start: Month | None, end: Month | None) -> tuple[date, date]:
    return (start.first_day if start else date.min, end.first_day if end else date.max)


def _bigquery(
    context: BackfillContext, start: Month | None, end: Month | None
) -> list[dict[str, Any]]:
    first, last = _bounds(start, end)
    outputs = context.outputs
    columns = ", ".join(f"`{name}`" for name in COLUMNS)  # `rows` is a reserved word there
    statement = (
        f"SELECT {columns} FROM `{outputs.project}.{outputs.dataset}.{LEDGER_VIEW}` "  # noqa: S608
        "WHERE month BETWEEN @first AND @last"
    )
    parameters = [
        bigquery.ScalarQueryParameter("first", "DATE", first),
        bigquery.ScalarQueryParameter("last", "DATE", last),
    ]
    return bigquery_rows(context, statement, "the BigQuery ledger", parameters)


def _postgres(
    context: BackfillContext, start: Month | None, end: Month | None
) -> list[dict[str, Any]]:
    statement = sql.SQL("SELECT {} FROM {} WHERE month BETWEEN %s AND %s").format(
        sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), sql.Identifier(LEDGER_VIEW)
    )
    return postgres_rows(context, statement, "the PostgreSQL ledger", _bounds(start, end))


_READERS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "bigquery": _bigquery,
    "postgres": _postgres,
}
