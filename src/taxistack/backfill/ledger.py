"""The ledgers beside the tables, read once for each destination."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import bigquery
from psycopg import sql
from psycopg.rows import dict_row

from taxi_etl.month import Month
from taxi_etl.schema import LEDGER_COLUMNS, LEDGER_VIEW
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.state import Cell, Load
from taxistack.errors import FailedError

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
    config = bigquery.QueryJobConfig(
        query_parameters=[
            bigquery.ScalarQueryParameter("first", "DATE", first),
            bigquery.ScalarQueryParameter("last", "DATE", last),
        ],
    )
    if context.maximum_bytes_billed:
        config.maximum_bytes_billed = context.maximum_bytes_billed
    columns = ", ".join(f"`{name}`" for name in COLUMNS)  # `rows` is a reserved word there
    statement = (
        f"SELECT {columns} FROM `{outputs.project}.{outputs.dataset}.{LEDGER_VIEW}` "  # noqa: S608
        "WHERE month BETWEEN @first AND @last"
    )
    try:
        job = context.bigquery().query(statement, job_config=config, location=outputs.location)
        return [dict(row) for row in job.result()]
    except NotFound:
        return []
    except GoogleAPICallError as error:
        raise FailedError(f"the BigQuery ledger can't be read: {error.message}") from error


def _postgres(
    context: BackfillContext, start: Month | None, end: Month | None
) -> list[dict[str, Any]]:
    statement = sql.SQL("SELECT {} FROM {} WHERE month BETWEEN %s AND %s").format(
        sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), sql.Identifier(LEDGER_VIEW)
    )
    try:
        with context.postgres() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, _bounds(start, end)).fetchall()
    except psycopg.errors.UndefinedTable:
        return []
    except psycopg.Error as error:
        raise FailedError(f"the PostgreSQL ledger can't be read: {error}") from error


_READERS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "bigquery": _bigquery,
    "postgres": _postgres,
}
