"""What the two destinations' SQL counts, run on the same rows in DuckDB.

The real servers are asked in tests/platform/etl; this sees in seconds when a rule is turned round.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from hashlib import md5

import duckdb
import pytest
import sqlglot

from taxi_etl.compare import TableMonth
from taxi_etl.destinations import bigquery_sql, postgres_sql
from taxi_etl.month import Month
from taxi_etl.schema import LEDGER, LEDGER_COLUMNS, LEDGER_VIEW, TAXIS, Kind, table_columns

GREEN, JANUARY = TAXIS["green"], Month(2019, 1)
PLACE = bigquery_sql.Place("p", "d")
TYPES = {
    "bigquery": {**bigquery_sql.TYPES, Kind.DIGEST: "BLOB", Kind.NUMBER: "DECIMAL(18, 2)"},
    "postgres": {**postgres_sql.TYPES, Kind.EXACT: "DECIMAL(18, 2)"},
}
SCHEMA = {"bigquery": "p.d", "postgres": "public"}
# A number out of hexadecimal digits: DuckDB has no cast from bits.
POSTGRES_ONLY = (
    "('x' || substr(unique_row_id, 1, 9))::bit(36)",
    "('0x' || substr(unique_row_id, 1, 9))",
)

FIELDS = {
    "VendorID": 1, "lpep_pickup_datetime": datetime(2019, 1, 31, 23, 59, 59),
    "total_amount": Decimal("2.50"),
}  # fmt: skip
ROWS = [
    FIELDS,
    FIELDS,
    {**FIELDS, "lpep_pickup_datetime": datetime(2019, 2, 1)},
    {**FIELDS, "lpep_pickup_datetime": datetime(2018, 12, 31, 23, 59, 59)},
    {**FIELDS, "lpep_pickup_datetime": datetime(2008, 1, 2)},
    {**FIELDS, "lpep_pickup_datetime": None},
    {**FIELDS, "VendorID": None, "total_amount": Decimal(-3)},
    {**FIELDS, "VendorID": None, "total_amount": Decimal(0)},
]
IDS = ["a", "a", *"bcdefg"]
"""One id twice, as a load that ran over another would leave it."""
COUNTED = TableMonth(
    rows=8,
    total_amount=Decimal("12.00"),
    distinct_ids=7,
    fingerprint=sum(int(md5(one.encode()).hexdigest()[:9], 16) for one in IDS),
    null_pickups=1,
    strays=3,
    null_block=2,
    negatives=1,
    duplicates=1,
)


@pytest.fixture(params=TYPES)
def warehouse(request):
    """A connection with the tables of one destination, and how its text is run."""
    kind = request.param
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS p; CREATE SCHEMA p.d; CREATE SCHEMA public")

        def run(text: str) -> list[tuple]:
            text = text.replace(*POSTGRES_ONLY)
            (statement,) = sqlglot.transpile(text, read=kind, write="duckdb")
            return connection.execute(statement).fetchall()

        for name, columns in ((GREEN.table, table_columns(GREEN)), (LEDGER, LEDGER_COLUMNS)):
            types = {**TYPES[kind], Kind.TEXT: "VARCHAR"}
            defined = ", ".join(
                f'"{one.name}" {types[one.kind].replace("STRING", "VARCHAR")}' for one in columns
            )
            connection.execute(f"CREATE TABLE {SCHEMA[kind]}.{name} ({defined})")
        yield kind, connection, run


def _insert(connection, table: str, values: dict[str, object]) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))


def test_each_fact_of_a_month_is_counted_as_it_is_described(warehouse):
    kind, connection, run = warehouse
    for id_, fields in zip(IDS, ROWS, strict=True):
        digest = md5(id_.encode())
        row = {
            **fields,
            "unique_row_id": digest.digest() if kind == "bigquery" else digest.hexdigest(),
            "source_month": JANUARY.first_day,
        }
        table = f"{SCHEMA[kind]}.{GREEN.table}"
        _insert(connection, table, row)
        _insert(connection, table, {**row, "source_month": date(2019, 3, 1)})
    if kind == "bigquery":
        text = bigquery_sql.month_facts(PLACE, GREEN, JANUARY, JANUARY, duplicates=True)
    else:
        text = postgres_sql.month_facts(GREEN, duplicates=True).as_string(None)
        text = text.replace("%s", "DATE '2019-01-01'")
    ((month, *found),) = run(text)
    assert Month.of(month) == JANUARY
    assert TableMonth.read(*found) == COUNTED


def test_the_last_load_of_a_month_is_the_current_one(warehouse):
    kind, connection, run = warehouse
    for hour in (9, 11, 10):
        loaded = datetime(2026, 1, 1, hour)
        row = {"taxi": "green", "month": JANUARY.first_day, "rows": hour, "loaded_at": loaded}
        _insert(connection, f"{SCHEMA[kind]}.{LEDGER}", row)
    if kind == "bigquery":
        made, asked = (
            bigquery_sql.create_tables(PLACE)[LEDGER_VIEW],
            (bigquery_sql.ledger_rows(PLACE, JANUARY, JANUARY)),
        )
    else:
        made = postgres_sql.create_tables()[LEDGER_VIEW].as_string(None)
        asked = postgres_sql.ledger_rows().as_string(None).replace("%s", "DATE '2019-01-01'")
    run(made)
    (row,) = run(asked)
    place = [column.name for column in LEDGER_COLUMNS].index("rows")
    assert (row[0], row[place]) == ("green", 11)
