"""What BigQuery says of some months of a taxi: table and ledger, one query each."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from google.cloud import bigquery

from taxi_etl import bigquery_sql
from taxi_etl.bigquery_sql import Target
from taxi_etl.compare import TableMonth
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxi_etl.schema import Taxi


def table_months(
    client: bigquery.Client, target: Target, taxi: Taxi, months: Collection[Month]
) -> dict[Month, TableMonth]:
    """The months that have rows. Raises the library's errors, NotFound without the table."""
    rows = _query(client, target, bigquery_sql.month_facts(target, taxi, months))
    return {
        Month(day.year, day.month): TableMonth(count, total or Decimal(0), *rest)
        for day, count, total, *rest in rows
    }


def ledger_entries(
    client: bigquery.Client, target: Target, taxi: Taxi, months: Collection[Month]
) -> dict[Month, Entry]:
    """The last ledger row of each month that has one. Raises as `table_months` does."""
    rows = _query(client, target, bigquery_sql.ledger_rows(target, taxi, months))
    entries = (Entry(*row) for row in rows)
    return {Month(entry.month.year, entry.month.month): entry for entry in entries}


def _query(client: bigquery.Client, target: Target, statement: str) -> list[tuple]:
    config = bigquery.QueryJobConfig(maximum_bytes_billed=target.maximum_bytes_billed)
    return [row.values() for row in client.query(statement, job_config=config).result()]
