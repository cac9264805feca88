"""What PostgreSQL says of some months of a taxi: table and ledger, one query each."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

import psycopg

from taxi_etl import postgres_sql
from taxi_etl.compare import TableMonth
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxi_etl.schema import Taxi


def table_months(
    connection: psycopg.Connection, taxi: Taxi, months: Collection[Month]
) -> dict[Month, TableMonth]:
    """The months that have rows. Raises psycopg's errors, UndefinedTable without the table."""
    days = [month.first_day for month in months]
    return {
        Month(day.year, day.month): TableMonth(count, total or Decimal(0), *rest)
        for day, count, total, *rest in connection.execute(postgres_sql.month_facts(taxi), [days])
    }


def ledger_entries(
    connection: psycopg.Connection, taxi: Taxi, months: Collection[Month]
) -> dict[Month, Entry]:
    """The last ledger row of each month that has one. Raises as `table_months` does."""
    days = [month.first_day for month in months]
    rows = connection.execute(postgres_sql.ledger_rows(taxi), [days])
    entries = (Entry(*row) for row in rows)
    return {Month(entry.month.year, entry.month.month): entry for entry in entries}
