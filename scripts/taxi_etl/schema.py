"""The series of trip records ("taxis"): columns of their files and types of their tables.

The names and types are those of the Data Engineering Zoomcamp's tables, so that the course's
queries run as they stand. Two columns are ours: `source_month` (the month of the *file*, by
which the tables are partitioned, because month files hold stray pickups of other months) and
`loaded_at`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds; each destination says which of its types that is."""

    TEXT = "text"
    TIME = "time"
    """A date and time without a zone, as the files have it."""
    WHOLE = "whole number"
    CODE = "code"
    """A whole number that names something, so that a destination may keep it as text."""
    NUMBER = "number"
    DIGEST = "digest"
    """16 bytes, or the same in hexadecimal where a destination has text."""
    DAY = "day"
    MOMENT = "moment"
    COUNT = "count"
    EXACT = "exact number"


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Taxi:
    """One kind of taxi: its file columns in the file's order, and what depends on them.

    `pickup` is the column that says when a trip began. `measure` is the number that is summed
    and compared (None: the series has none, and every sum is 0). `block` are the columns that are
    empty together in the rows of a null block.
    """

    name: str
    columns: tuple[Column, ...]
    pickup: str
    measure: str | None
    block: tuple[str, ...]

    def __str__(self) -> str:
        """Its name."""
        return self.name

    @property
    def table(self) -> str:
        """The table that holds this taxi's trips, in both destinations."""
        return f"{self.name}_tripdata"

    @property
    def header(self) -> str:
        """The first line of this taxi's files, without its line end."""
        return ",".join(column.name for column in self.columns)

    def is_header(self, line: str) -> bool:
        """Whether a line names this taxi's columns in order, in capitals or not.

        The releases spell a name in two ways (`PUlocationID` in fhv's files of 2019,
        `PULocationID` in those of 2020). No destination tells the two apart.
        """
        return line.isascii() and line.lower() == self.header.lower()

    def place(self, name: str) -> int:
        """The 0-based place of a column in a row of the file."""
        return [column.name for column in self.columns].index(name)


def _text(name: str) -> Column:
    return Column(name, Kind.TEXT)


def _time(name: str) -> Column:
    return Column(name, Kind.TIME)


def _whole(name: str) -> Column:
    return Column(name, Kind.WHOLE)


def _number(name: str) -> Column:
    return Column(name, Kind.NUMBER)


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
    measure="total_amount",
    block=("VendorID",),
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
        Column("trip_type", Kind.CODE),
        _number("congestion_surcharge"),
    ),
    pickup="lpep_pickup_datetime",
    measure="total_amount",
    block=("VendorID",),
)

# For-Hire Vehicles: who sent the car, when and where, and nothing about money. Every code is
# text: SR_Flag is empty, `1` or `N` by the year, a zone may be written `264` or `264.0`.
_FHV = Taxi(
    "fhv",
    (
        _text("dispatching_base_num"),
        _time("pickup_datetime"),
        _time("dropOff_datetime"),
        _text("PUlocationID"),
        _text("DOlocationID"),
        _text("SR_Flag"),
        _text("Affiliated_base_number"),
    ),
    pickup="pickup_datetime",
    measure=None,
    block=("PUlocationID", "DOlocationID"),
)

TAXIS: dict[str, Taxi] = {taxi.name: taxi for taxi in (_YELLOW, _GREEN, _FHV)}
"""Every taxi by its name."""

OWN_FIRST = (Column("unique_row_id", Kind.DIGEST), Column("filename", Kind.TEXT))
"""The table's columns before those of the file."""

OWN_LAST = (
    Column("source_month", Kind.DAY),
    Column("loaded_at", Kind.MOMENT),
)
"""The table's columns after those of the file."""

LEDGER = "loads"
"""The ledger: one row for each finished load, written together with the month's rows."""

LEDGER_VIEW = "loads_current"
"""The last row of the ledger for each (taxi, month)."""

LEDGER_COLUMNS = (
    Column("taxi", Kind.TEXT),
    Column("month", Kind.DAY),
    Column("source_url", Kind.TEXT),
    Column("etag", Kind.TEXT),
    Column("source_bytes", Kind.COUNT),
    Column("csv_bytes", Kind.COUNT),
    Column("sha256", Kind.TEXT),
    Column("crc32c", Kind.TEXT),
    Column("rows", Kind.COUNT),
    Column("total_amount", Kind.EXACT),
    Column("object", Kind.TEXT),
    Column("generation", Kind.COUNT),
    Column("job_id", Kind.TEXT),
    Column("execution_id", Kind.TEXT),
    Column("started_at", Kind.MOMENT),
    Column("loaded_at", Kind.MOMENT),
)
"""The ledger's columns; the same names in both destinations."""


def table_columns(taxi: Taxi) -> tuple[Column, ...]:
    """Every column of the taxi's table, in order."""
    return (*OWN_FIRST, *taxi.columns, *OWN_LAST)
