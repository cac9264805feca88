"""The GoogleSQL of the warehouse: one text for BigQuery and for its emulator.

Names of projects and datasets come checked from the command line, names of tables and columns
from schema.py, months from Month: none of them can break out of the text. Free text (addresses,
ETags, ids) is escaped by `literal`; query parameters would be the better way, but the emulator
does not take them in a script of several statements.
"""

# ruff: noqa: S608 (see above: nothing unchecked gets into the text)

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    Kind,
    Taxi,
    table_columns,
)

Value = str | int | Decimal | date | datetime

TYPES: Mapping[Kind, str] = {
    Kind.TEXT: "STRING",
    Kind.TIME: "TIMESTAMP",
    Kind.WHOLE: "INT64",
    Kind.CODE: "STRING",
    Kind.NUMBER: "NUMERIC",
    Kind.DIGEST: "BYTES",
    Kind.DAY: "DATE",
    Kind.MOMENT: "TIMESTAMP",
    Kind.COUNT: "INT64",
    Kind.EXACT: "NUMERIC",
}
"""BigQuery's type for each kind of column."""


@dataclass(frozen=True)
class Place:
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


def literal(value: Value) -> str:
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


def create_tables(place: Place) -> dict[str, str]:
    """The statements that make each table and view, by its name, in order; none replaces one."""
    trips = {taxi.table: _create_trips(place, taxi) for taxi in TAXIS.values()}
    ledger = (
        f"CREATE TABLE IF NOT EXISTS {place.table(LEDGER)} (\n{_definitions(LEDGER_COLUMNS)}\n)\n"
        "OPTIONS (description = 'One row for each finished load, never changed')"
    )
    view = (
        f"CREATE VIEW IF NOT EXISTS {place.table(LEDGER_VIEW)} AS\n"
        f"SELECT * FROM {place.table(LEDGER)}\n"
        "WHERE TRUE\n"
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY taxi, month ORDER BY loaded_at DESC) = 1"
    )
    return {**trips, LEDGER: ledger, LEDGER_VIEW: view}


def _create_trips(place: Place, taxi: Taxi) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {place.table(taxi.table)} (\n"
        f"{_definitions(table_columns(taxi))}\n)\n"
        "PARTITION BY DATE_TRUNC(source_month, MONTH)\n"
        f"CLUSTER BY {taxi.pickup}\n"
        f"OPTIONS (description = 'Trips of {taxi.name} taxis, by the month of the file')"
    )


def _definitions(columns: Iterable[Column]) -> str:
    return ",\n".join(f"  `{column.name}` {TYPES[column.kind]}" for column in columns)


def _names(columns: Iterable[Column]) -> str:
    # quoted, because ROWS is a reserved word of GoogleSQL
    return ", ".join(f"`{column.name}`" for column in columns)


def replace_month(
    place: Place, taxi: Taxi, month: Month, staging: str, filename: str, entry: Iterable[Value]
) -> str:
    """Replace one month's trips by those of the staging table and note it in the ledger.

    One transaction; the delete's filter is a constant on the partitioning column. `entry` holds
    the ledger's values without the last, loaded_at: that is BigQuery's clock.
    """
    return f"""BEGIN TRANSACTION;
DELETE FROM {place.table(taxi.table)} WHERE source_month = {date_literal(month)};
INSERT INTO {place.table(taxi.table)} ({_names(table_columns(taxi))})
{_select_trips(taxi, month, staging, filename)};
INSERT INTO {place.table(LEDGER)} ({_names(LEDGER_COLUMNS)})
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
    kind = TYPES[column.kind]
    return value if kind == "STRING" else f"CAST({value} AS {kind})"


def insert_ledger(place: Place, values: Iterable[Value]) -> str:
    """One ledger row of the values in order."""
    return (
        f"INSERT INTO {place.table(LEDGER)} ({_names(LEDGER_COLUMNS)})\n"
        f"VALUES ({', '.join(map(literal, values))})"
    )


def month_facts(place: Place, taxi: Taxi, first: Month, last: Month, *, duplicates: bool) -> str:
    """What the table says of each month: one query, filtered on the partitioning column.

    Its columns are source_month and the fields of `TableMonth` in order.
    """
    columns = ", ".join(column.name for column in taxi.columns)
    same = f"COUNT(*) - COUNT(DISTINCT TO_JSON_STRING(STRUCT({columns})))"
    measure = taxi.measure or "NUMERIC '0'"
    block = " AND ".join(f"{name} IS NULL" for name in taxi.block)
    return f"""SELECT
  source_month,
  COUNT(*) AS row_count,
  SUM({measure}) AS measured,
  COUNT(DISTINCT unique_row_id) AS distinct_ids,
  SUM(CAST(CONCAT('0x', SUBSTR(TO_HEX(unique_row_id), 1, 9)) AS INT64)) AS fingerprint,
  COUNTIF({taxi.pickup} IS NULL) AS null_pickups,
  COUNTIF(DATE_TRUNC(DATE({taxi.pickup}), MONTH) != source_month) AS strays,
  COUNTIF({block}) AS null_block,
  COUNTIF({measure} < 0) AS negatives,
  {same if duplicates else "NULL"} AS duplicates
FROM {place.table(taxi.table)}
WHERE source_month BETWEEN {date_literal(first)} AND {date_literal(last)}
GROUP BY source_month"""


def ledger_rows(place: Place, first: Month, last: Month) -> str:
    """The last ledger row of each taxi and month of a range."""
    return (
        f"SELECT {_names(LEDGER_COLUMNS)} FROM {place.table(LEDGER_VIEW)}\n"
        f"WHERE month BETWEEN {date_literal(first)} AND {date_literal(last)}"
    )
