"""The GoogleSQL of the warehouse: one text for BigQuery and for its emulator.

Names of projects and datasets come checked from the command line, names of tables and columns
from schema.py, months from Month: none of them can break out of the text. Free text (addresses,
ETags, ids) is escaped by `literal`; query parameters would be the better way, but the emulator
does not take them in a script of several statements.
"""

# ruff: noqa: S608 (see above: nothing unchecked gets into the text)

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from taxi_etl.month import Month
from taxi_etl.schema import (
    LEDGER,
    LEDGER_COLUMNS,
    LEDGER_VIEW,
    TAXIS,
    Column,
    Taxi,
    table_columns,
)


@dataclass(frozen=True)
class Target:
    """Where the warehouse is. `maximum_bytes_billed` None: no cap on a query's cost."""

    project: str
    dataset: str
    staging_dataset: str = ""
    location: str | None = None
    maximum_bytes_billed: int | None = None

    def table(self, name: str) -> str:
        """A table of the dataset, quoted for SQL."""
        return f"`{self.project}.{self.dataset}.{name}`"


def date_literal(month: Month) -> str:
    """The month's first day as a constant, so that BigQuery prunes partitions by it."""
    return literal(month.first_day)


def literal(value: str | int | Decimal | date | datetime) -> str:
    """The value as a constant of GoogleSQL; text can't end its own quotes."""
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, Decimal):
        return f"NUMERIC '{value:f}'"
    if isinstance(value, int):
        return str(value)
    printable = "".join(c if c.isprintable() else " " for c in value)
    return "'" + printable.replace("\\", "\\\\").replace("'", "\\'") + "'"


def create_tables(target: Target) -> dict[str, str]:
    """The statements that make each table and view, by its name, in order; none replaces one."""
    trips = {taxi.table: _create_trips(target, taxi) for taxi in TAXIS.values()}
    ledger = (
        f"CREATE TABLE IF NOT EXISTS {target.table(LEDGER)} (\n{_definitions(LEDGER_COLUMNS)}\n)\n"
        "OPTIONS (description = 'One row for each finished load, never changed')"
    )
    view = (
        f"CREATE VIEW IF NOT EXISTS {target.table(LEDGER_VIEW)} AS\n"
        f"SELECT * FROM {target.table(LEDGER)}\n"
        "WHERE TRUE\n"
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY taxi, month ORDER BY loaded_at DESC) = 1"
    )
    return {**trips, LEDGER: ledger, LEDGER_VIEW: view}


def _create_trips(target: Target, taxi: Taxi) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {target.table(taxi.table)} (\n"
        f"{_definitions(table_columns(taxi))}\n)\n"
        "PARTITION BY DATE_TRUNC(source_month, MONTH)\n"
        f"CLUSTER BY {taxi.pickup}\n"
        f"OPTIONS (description = 'Trips of {taxi.name} taxis, by the month of the file')"
    )


def _definitions(columns: Iterable[Column]) -> str:
    return ",\n".join(f"  `{column.name}` {column.bigquery}" for column in columns)


def _names(columns: Iterable[Column]) -> str:
    # quoted, because ROWS is a reserved word of GoogleSQL
    return ", ".join(f"`{column.name}`" for column in columns)


def replace_month(
    target: Target, taxi: Taxi, month: Month, staging: str, filename: str, entry: Iterable
) -> str:
    """Replace one month's trips by those of the staging table and note it in the ledger.

    One transaction; the delete's filter is a constant on the partitioning column. `entry` holds
    the ledger's values without the last, loaded_at: that is BigQuery's clock.
    """
    return f"""BEGIN TRANSACTION;
DELETE FROM {target.table(taxi.table)} WHERE source_month = {date_literal(month)};
INSERT INTO {target.table(taxi.table)} ({_names(table_columns(taxi))})
{_select_trips(taxi, month, staging, filename)};
INSERT INTO {target.table(LEDGER)} ({_names(LEDGER_COLUMNS)})
VALUES ({", ".join(literal(value) for value in entry)}, CURRENT_TIMESTAMP());
COMMIT TRANSACTION;
"""


def _select_trips(taxi: Taxi, month: Month, staging: str, filename: str) -> str:
    """The staged text as typed rows. The id counts identical rows of the file from 0."""
    fields = ", ".join(f"IFNULL({column.name}, '')" for column in taxi.columns)
    typed = ",\n".join(f"  {_typed(column)}" for column in taxi.columns)
    return f"""SELECT
  MD5(CONCAT({literal(filename + "|")}, line, '|', CAST(n AS STRING))),
  {literal(filename)},
{typed},
  {date_literal(month)},
  CURRENT_TIMESTAMP()
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY line) - 1 AS n
  FROM (SELECT *, ARRAY_TO_STRING([{fields}], ',') AS line FROM `{staging}`)
)"""


def _typed(column: Column) -> str:
    value = f"NULLIF({column.name}, '')"
    return value if column.bigquery == "STRING" else f"CAST({value} AS {column.bigquery})"


def month_facts(target: Target, taxi: Taxi, months: Iterable[Month]) -> str:
    """What the table says of each month: one query, filtered on the partitioning column."""
    return f"""SELECT
  source_month,
  COUNT(*) AS row_count,
  SUM(total_amount) AS total_amount,
  COUNT(DISTINCT unique_row_id) AS distinct_ids,
  COUNTIF({taxi.pickup} IS NULL) AS null_pickups,
  COUNTIF(DATE_TRUNC(DATE({taxi.pickup}), MONTH) != source_month) AS strays
FROM {target.table(taxi.table)}
WHERE source_month IN ({_dates(months)})
GROUP BY source_month"""


def ledger_rows(target: Target, taxi: Taxi, months: Iterable[Month]) -> str:
    """The last ledger row of each month."""
    return (
        f"SELECT {_names(LEDGER_COLUMNS)} FROM {target.table(LEDGER_VIEW)}\n"
        f"WHERE taxi = '{taxi.name}' AND month IN ({_dates(months)})"
    )


def _dates(months: Iterable[Month]) -> str:
    return ", ".join(date_literal(month) for month in months)
