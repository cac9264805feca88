"""What the tables hold of each month: one aggregating query for each table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Taxi
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.query import bigquery_rows, postgres_rows


@dataclass(frozen=True)
class TableMonth:
    """One month of a table.

    `fingerprint` is the sum of the first 36 bits of every unique_row_id: equal sets of rows have
    equal ones whatever their order. `without_vendor` counts the rows of the null blocks;
    `duplicates` the rows beyond the first of each group of identical ones, None when not asked.
    """

    rows: int
    total_amount: Decimal
    distinct_ids: int
    fingerprint: int
    null_pickups: int
    strays: int
    without_vendor: int
    negatives: int
    duplicates: int | None = None


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
    rows = _READERS[destination](context, TAXIS[taxi], start, end, duplicates)
    return {Month.parse(str(row["source_month"])): _table_month(row) for row in rows}


def _table_month(row: Mapping[str, Any]) -> TableMonth:
    return TableMonth(
        rows=int(row["row_count"]),
        total_amount=Decimal(str(row["total_amount"] or 0)),
        distinct_ids=int(row["distinct_ids"]),
        fingerprint=int(row["fingerprint"] or 0),
        null_pickups=int(row["null_pickups"]),
        strays=int(row["strays"]),
        without_vendor=int(row["without_vendor"]),
        negatives=int(row["negatives"]),
        duplicates=None if row["duplicates"] is None else int(row["duplicates"]),
    )


def bigquery_statement(
    table: str, taxi: Taxi, start: Month, end: Month, *, duplicates: bool
) -> str:
    """The query in GoogleSQL; constants on source_month, so that BigQuery prunes partitions."""
    columns = ", ".join(column.name for column in taxi.columns)
    same = f"COUNT(*) - COUNT(DISTINCT TO_JSON_STRING(STRUCT({columns})))"
    return f"""SELECT
  source_month,
  COUNT(*) AS row_count,
  SUM(total_amount) AS total_amount,
  COUNT(DISTINCT unique_row_id) AS distinct_ids,
  SUM(CAST(CONCAT('0x', SUBSTR(TO_HEX(unique_row_id), 1, 9)) AS INT64)) AS fingerprint,
  COUNTIF({taxi.pickup} IS NULL) AS null_pickups,
  COUNTIF(DATE_TRUNC(DATE({taxi.pickup}), MONTH) != source_month) AS strays,
  COUNTIF(VendorID IS NULL) AS without_vendor,
  COUNTIF(total_amount < 0) AS negatives,
  {same if duplicates else "NULL"} AS duplicates
FROM `{table}`
WHERE source_month BETWEEN DATE '{start.first_day}' AND DATE '{end.first_day}'
GROUP BY source_month"""  # noqa: S608 (names from the schema, dates from Month)


def postgres_statement(taxi: Taxi, *, duplicates: bool) -> str:
    """The query for PostgreSQL, with two parameters: the first and the last month."""
    columns = ", ".join(column.name for column in taxi.columns)
    same = f"count(*) - count(DISTINCT ({columns}))"
    # A double holds the cents of one trip exactly enough to print them; their sum as doubles
    # would not.
    return f"""SELECT
  source_month,
  count(*) AS row_count,
  sum(total_amount::numeric) AS total_amount,
  count(DISTINCT unique_row_id) AS distinct_ids,
  sum(('x' || substr(unique_row_id, 1, 9))::bit(36)::bigint) AS fingerprint,
  count(*) FILTER (WHERE {taxi.pickup} IS NULL) AS null_pickups,
  count(*) FILTER (WHERE date_trunc('month', {taxi.pickup}) <> source_month) AS strays,
  count(*) FILTER (WHERE vendorid IS NULL) AS without_vendor,
  count(*) FILTER (WHERE total_amount < 0) AS negatives,
  {same if duplicates else "NULL::bigint"} AS duplicates
FROM {taxi.table}
WHERE source_month BETWEEN %s AND %s
GROUP BY source_month"""  # noqa: S608 (names from the schema)


def _bigquery(
    context: BackfillContext, taxi: Taxi, start: Month, end: Month, duplicates: bool
) -> list[dict[str, Any]]:
    outputs = context.outputs
    table = f"{outputs.project}.{outputs.dataset}.{taxi.table}"
    statement = bigquery_statement(table, taxi, start, end, duplicates=duplicates)
    return bigquery_rows(context, statement, f"BigQuery table {table}")


def _postgres(
    context: BackfillContext, taxi: Taxi, start: Month, end: Month, duplicates: bool
) -> list[dict[str, Any]]:
    statement = postgres_statement(taxi, duplicates=duplicates).encode()
    months = (start.first_day, end.first_day)
    return postgres_rows(context, statement, f"PostgreSQL table {taxi.table}", months)


_READERS: Mapping[str, Callable[..., list[dict[str, Any]]]] = {
    "bigquery": _bigquery,
    "postgres": _postgres,
}
