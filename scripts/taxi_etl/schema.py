"""The two taxis: columns of their files and types of their tables.

The names and types are those of the Data Engineering Zoomcamp's tables, so that the course's
queries run as they stand. Two columns are ours: `source_month` (the month of the *file*, by
which the tables are partitioned, because month files hold stray pickups of other months) and
`loaded_at`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a month file, and its type in each destination."""

    name: str
    bigquery: str
    postgres: str


@dataclass(frozen=True)
class Taxi:
    """One kind of taxi: its file columns in the file's order, and what depends on them."""

    name: str
    columns: tuple[Column, ...]
    pickup: str

    @property
    def table(self) -> str:
        """The table that holds this taxi's trips, in both destinations."""
        return f"{self.name}_tripdata"

    @property
    def header(self) -> str:
        """The first line of this taxi's files, without its line end."""
        return ",".join(column.name for column in self.columns)

    @property
    def total_position(self) -> int:
        """The 0-based place of total_amount in a row."""
        return [column.name for column in self.columns].index("total_amount")


def _text(name: str) -> Column:
    return Column(name, "STRING", "text")


def _time(name: str) -> Column:
    return Column(name, "TIMESTAMP", "timestamp")


def _whole(name: str) -> Column:
    return Column(name, "INT64", "integer")


def _number(name: str) -> Column:
    return Column(name, "NUMERIC", "double precision")


_YELLOW = Taxi(
    "yellow",
    (
        _text("VendorID"),
        _time("tpep_pickup_datetime"),
        _time("tpep_dropoff_datetime"),
        _whole("passenger_count"),
        _number("trip_distance"),
        _text("RatecodeID"),
        _text("store_and_fwd_flag"),
        _text("PULocationID"),
        _text("DOLocationID"),
        _whole("payment_type"),
        _number("fare_amount"),
        _number("extra"),
        _number("mta_tax"),
        _number("tip_amount"),
        _number("tolls_amount"),
        _number("improvement_surcharge"),
        _number("total_amount"),
        _number("congestion_surcharge"),
    ),
    pickup="tpep_pickup_datetime",
)

_GREEN = Taxi(
    "green",
    (
        _text("VendorID"),
        _time("lpep_pickup_datetime"),
        _time("lpep_dropoff_datetime"),
        _text("store_and_fwd_flag"),
        _text("RatecodeID"),
        _text("PULocationID"),
        _text("DOLocationID"),
        _whole("passenger_count"),
        _number("trip_distance"),
        _number("fare_amount"),
        _number("extra"),
        _number("mta_tax"),
        _number("tip_amount"),
        _number("tolls_amount"),
        _number("ehail_fee"),
        _number("improvement_surcharge"),
        _number("total_amount"),
        _whole("payment_type"),
        Column("trip_type", "STRING", "integer"),
        _number("congestion_surcharge"),
    ),
    pickup="lpep_pickup_datetime",
)

TAXIS: dict[str, Taxi] = {taxi.name: taxi for taxi in (_YELLOW, _GREEN)}
"""Every taxi by its name."""

OWN_FIRST = (Column("unique_row_id", "BYTES", "text"), Column("filename", "STRING", "text"))
"""The table's columns before those of the file."""

OWN_LAST = (
    Column("source_month", "DATE", "date"),
    Column("loaded_at", "TIMESTAMP", "timestamptz"),
)
"""The table's columns after those of the file."""

LEDGER = "loads"
"""The ledger: one row for each finished load, written together with the month's rows."""

LEDGER_VIEW = "loads_current"
"""The last row of the ledger for each (taxi, month)."""

LEDGER_COLUMNS = (
    Column("taxi", "STRING", "text"),
    Column("month", "DATE", "date"),
    Column("source_url", "STRING", "text"),
    Column("etag", "STRING", "text"),
    Column("source_bytes", "INT64", "bigint"),
    Column("csv_bytes", "INT64", "bigint"),
    Column("sha256", "STRING", "text"),
    Column("crc32c", "STRING", "text"),
    Column("rows", "INT64", "bigint"),
    Column("total_amount", "NUMERIC", "numeric"),
    Column("object", "STRING", "text"),
    Column("generation", "INT64", "bigint"),
    Column("job_id", "STRING", "text"),
    Column("execution_id", "STRING", "text"),
    Column("started_at", "TIMESTAMP", "timestamptz"),
    Column("loaded_at", "TIMESTAMP", "timestamptz"),
)
"""The ledger's columns; the same names in both destinations."""


def table_columns(taxi: Taxi) -> tuple[Column, ...]:
    """Every column of the taxi's table, in order."""
    return (*OWN_FIRST, *taxi.columns, *OWN_LAST)
