"""One pass over a month file: is it whole, is it that taxi's month, and what is in it?"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path

import google_crc32c

from taxi_etl import columns, rows
from taxi_etl.errors import BadFile
from taxi_etl.fields import SCALE, Rules
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Taxi

_CENT = Decimal("0.01")
_WIDE = Context(prec=60)


@dataclass(frozen=True)
class Inspection:
    """What a month file holds. `total_amount` is the exact sum; empty fields do not count."""

    source_bytes: int
    csv_bytes: int
    sha256: str
    crc32c: str
    rows: int
    total_amount: Decimal


def inspect(path: Path, taxi: Taxi, month: Month) -> Inspection:
    """Check the file at `path` and say what it holds.

    Raises BadFile, with the number of the line, for anything that is not a whole month file of
    that taxi: see `_Lines` for the rules. Stray pickups are allowed; a file of which most trips
    are not of the month is another month's.
    """
    sha256, crc32c = hashlib.sha256(), google_crc32c.Checksum()
    lines = _Lines(taxi, month)
    with path.open("rb") as file:
        text = rows.ahead(rows.text_blocks(file, sha256.update, crc32c.update))
        blocks = lines.begun(rows.line_blocks(lines.counted(text)))
        for read in rows.each(lines.read, blocks):
            lines.add(read)
        length = file.tell()
    lines.finish()
    return Inspection(
        source_bytes=length,
        csv_bytes=lines.bytes,
        sha256=sha256.hexdigest(),
        crc32c=base64.b64encode(crc32c.digest()).decode("ascii"),
        rows=lines.rows,
        total_amount=lines.total,
    )


@dataclass(frozen=True)
class _Read:
    """A block of lines, and what is known of it by columns.

    `odd` are the places of the rows in which something odd was seen: these are not in `month_rows`
    and `total`. None: the block was not read by columns.
    """

    block: bytes
    rows: int
    odd: list[int] | None
    month_rows: int = 0
    total: int = 0


class _Lines:
    """The rules of a month file's text, checked block by block.

    The first line is that taxi's header (in capitals or not); every other line has as many
    columns, no quote, no NUL and no carriage return but before its line end, is UTF-8, and has
    in each column what `fields` allows there. All lines end alike.
    """

    def __init__(self, taxi: Taxi, month: Month) -> None:
        self.bytes = 0
        self.rows = 0
        self._total = 0  # in units of the last decimal
        self._rules = Rules(taxi)
        self._taxi = taxi
        self._commas = len(taxi.columns) - 1
        self._measured = taxi.place(taxi.measure) if taxi.measure else None
        self._pickup = taxi.place(taxi.pickup)
        self._month = month
        self._of_month = f"{month}-".encode()
        self._month_rows = 0
        self._line = 1  # number of the next line in the file
        self._end = b""  # the file's line end

    @property
    def total(self) -> Decimal:
        """The exact sum of the measure so far, in cents where it has no more decimals."""
        total = Decimal(self._total).scaleb(-SCALE, _WIDE)
        cents = total.quantize(_CENT, context=_WIDE)
        return cents if cents == total else total.normalize(_WIDE)

    def counted(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The same blocks; adds up their length."""
        for block in blocks:
            self.bytes += len(block)
            yield block

    def begun(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The same blocks without the first line, the header; learns from it how lines end."""
        for block in blocks:
            yield self._begin(block) if self._line == 1 else block

    def read(self, block: bytes) -> _Read:
        """What can be said of a block of whole lines by itself, in any thread."""
        count = block.count(b"\n")
        known = columns.Columns.of(block, self._taxi, self._end) if columns.worth(count) else None
        if known is None:
            return _Read(block, count, None)
        known.check()
        usual = ~known.odd
        months = known.times(self._pickup).months[usual]
        total = 0
        if self._measured is not None:
            total = known.numbers(self._measured).only(usual).total(SCALE)
        odd = known.odd.nonzero()[0].tolist()
        return _Read(block, count, odd, int((months == self._month.index).sum()), total)

    def add(self, read: _Read) -> None:
        """Check what is left of the next block, and add it up."""
        lines: Sequence[bytes] = ()
        places: Sequence[int] = range(read.rows)
        if read.odd is None:
            self._characters(read.block)
        else:
            self._month_rows += read.month_rows
            self._total += read.total
            places = read.odd
        if places:
            lines = self._cut(read.block)
        for place in places:
            self._add_line(self._line + place, lines[place])
        self.rows += read.rows
        self._line += read.rows

    def _add_line(self, number: int, line: bytes) -> None:
        """Check one line by the rules and add it up."""
        if (commas := line.count(b",")) != self._commas:
            columns = f"{commas + 1} columns" if line else "no columns: it is empty"
            raise BadFile(f"line {number} has {columns}, not {self._commas + 1}")
        fields = line.split(b",")
        if broken := self._rules.broken(fields):
            raise BadFile(f"line {number} has the {broken}")
        self._month_rows += fields[self._pickup].startswith(self._of_month)
        if self._measured is not None:
            self._total += self._rules.units(fields[self._measured])

    def finish(self) -> None:
        """Check what only the end can tell."""
        if not self.rows:
            raise BadFile("the file has no rows" + (" after its header" if self._line > 1 else ""))
        if 2 * self._month_rows <= self.rows:
            raise BadFile(
                f"{self._month_rows} of {self.rows} trips began in {self._month}: "
                "another month's file"
            )

    def _begin(self, block: bytes) -> bytes:
        """Check the header and learn how lines end; returns the rest of the block."""
        header, _, rest = block.partition(b"\n")
        self._end = b"\r\n" if header.endswith(b"\r") else b"\n"
        self._header(header.removesuffix(b"\r"))
        self._line = 2
        return rest

    def _cut(self, block: bytes) -> list[bytes]:
        lines = block.split(self._end)
        lines.pop()  # what follows the last line end: nothing
        return lines

    def _characters(self, block: bytes) -> None:
        """Only what every reader takes for plain text: checked on the block, told by line."""
        if b'"' in block:
            raise self._bad(block, b'"', "has a quote: month files have none")
        if b"\0" in block:
            raise self._bad(block, b"\0", "has a NUL byte")
        if block.count(b"\r") != block.count(b"\r\n"):
            raise self._bad(block.replace(b"\r\n", b"\n"), b"\r", "has a carriage return inside")
        if block.count(b"\r") != (block.count(b"\n") if self._end == b"\r\n" else 0):
            for number, line in enumerate(block.split(b"\n"), self._line):
                if line.endswith(b"\r") != (self._end == b"\r\n"):
                    raise BadFile(
                        f"line {number} ends in another way than the header (CRLF and LF)"
                    )
        if not block.isascii():
            try:
                block.decode("utf-8")
            except UnicodeDecodeError as error:
                raise self._bad(
                    block, block[error.start : error.start + 1], "is not UTF-8"
                ) from None

    def _bad(self, block: bytes, wrong: bytes, what: str) -> BadFile:
        line = self._line + block[: block.index(wrong)].count(b"\n")
        return BadFile(f"line {line} {what}")

    def _header(self, line: bytes) -> None:
        header = line.decode("utf-8", "replace")
        if self._taxi.is_header(header):
            return
        for other in TAXIS.values():
            if other.is_header(header):
                raise BadFile(
                    f"the file is of another taxi: its header is {other.name}'s, "
                    f"not {self._taxi.name}'s"
                )
        raise BadFile(f"wrong header: {_difference(header, self._taxi.header)}")


def _difference(header: str, wanted: str) -> str:
    """The first column in which two headers differ, in a few words."""
    columns = header.split(",")
    for place, name in enumerate(wanted.split(",")):
        if place >= len(columns):
            return f"column {place + 1} ({name}) is missing"
        if columns[place].lower() != name.lower():
            return f"column {place + 1} is {columns[place][:40]!r}, not {name!r}"
    return f"{len(columns)} columns, not {wanted.count(',') + 1}"
