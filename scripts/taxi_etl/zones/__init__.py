"""The zones: what the trips' location ids mean, as TLC publishes it; one file, one small table.

A reference table has no months: its whole content is compared, row by row, and replaced at once.
The release site has it below the base of the months, as the course's releases do.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import astuple, dataclass

from taxi_etl import release
from taxi_etl.errors import BadFile
from taxi_etl.schema import Column, Kind

TABLE = "taxi_zone_lookup"
FILE = f"{TABLE}.csv"
PATH = f"misc/{FILE}"
"""Where the file is, below the base address of a release site."""
OBJECT = f"raw/{PATH}"
"""The object in the lake's bucket, bytes as published."""
COLUMNS = tuple(
    Column(name, Kind.TEXT) for name in ("LocationID", "Borough", "Zone", "service_zone")
)
"""All text, the id too: the trips' location ids are text, so that they join without a cast."""
MOST_BYTES = 1 << 20
"""What a file of zones may have: the published one has 12 KB."""


@dataclass(frozen=True, order=True)
class Zone:
    """One zone: its id as the trips have it, and its names."""

    location_id: str
    borough: str
    zone: str
    service_zone: str

    def values(self) -> tuple[str, ...]:
        """The values in the order of COLUMNS."""
        return astuple(self)


def url(base: str) -> str:
    """Where the release site below `base` has the file. Raises WrongUse for a bad base."""
    release.check_base(base)
    return f"{base.rstrip('/')}/{PATH}"


def read(content: bytes) -> tuple[Zone, ...]:
    """The zones of a file, in its order. Raises BadFile with the line that breaks a rule."""
    if len(content) > MOST_BYTES:
        raise BadFile(f"{len(content)} bytes are no list of zones (at most {MOST_BYTES})")
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        return tuple(_zones(rows))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"not a CSV file in UTF-8: {error}") from error


def _zones(rows: Iterator[list[str]]) -> Iterator[Zone]:
    names = [column.name for column in COLUMNS]
    header = next(rows, [])
    if header != names:
        raise BadFile(f"line 1: the columns are {','.join(header)}, not {','.join(names)}")
    seen: set[str] = set()
    for line, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise BadFile(f"line {line}: {len(row)} fields, not {len(names)}")
        if not row[0].isdecimal() or row[0] != str(int(row[0])):
            raise BadFile(f"line {line}: LocationID {row[0]!r} is not a whole number")
        if row[0] in seen:
            raise BadFile(f"line {line}: LocationID {row[0]} is there twice")
        if not all(row):
            raise BadFile(f"line {line}: {names[row.index('')]} is empty")
        seen.add(row[0])
        yield Zone(*row)
    if not seen:
        raise BadFile("there is no zone in it")
