"""One pass over a month file: is it whole, is it that taxi's month, and what is in it?"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from operator import mul
from pathlib import Path

import google_crc32c

from taxi_etl import rows
from taxi_etl.errors import BadFile
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Taxi

_AMOUNT = re.compile(rb"(-?)(?=\.?\d)0*(\d*)(?:\.(\d{0,9}))?")
_SCALE = 9  # decimals: as many as BigQuery's NUMERIC has
_DIGITS = 15  # more than these a double precision number does not keep exactly
_VALUE = b"0123456789.-NY"  # what numbers, times and flags are made of; see `_Lines._regular`
_NUMBER = rb"[-.\d]*(?:\d[eE][-+]?\d+)?"
_TIME = rb"(?:[-.\d]* [-.\d]*:[-.\d]*:[-.\d]*)?"
_FORMS: dict[str, tuple[bytes, str, bytes]] = {
    "text": (rb"[^,]*", "", b""),
    "timestamp": (_TIME, "not a date and time", b" ::"),
    "integer": (_NUMBER, "not a number", b""),
    "double precision": (_NUMBER, "not a number", b""),
}
"""By the column's type in PostgreSQL: a field's pattern, how one that does not match is told, and
what is left of a usual one without the characters of `_VALUE`."""
_CENT = Decimal("0.01")
_WIDE = Context(prec=60)
_KNOWN = 1 << 16  # amounts remembered; a month has some ten thousand different ones


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
    that taxi: see `_Lines` for the rules. Stray pickups are allowed; a file in which no trip at
    all is of the month is not.
    """
    sha256, crc32c = hashlib.sha256(), google_crc32c.Checksum()
    lines = _Lines(taxi, month)
    with path.open("rb") as file:
        for block in rows.line_blocks(
            lines.counted(rows.text_blocks(file, sha256.update, crc32c.update))
        ):
            lines.check(block)
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


class _Lines:
    """The rules of a month file's text, checked block by block.

    The first line is exactly that taxi's header; every other line has as many columns, no
    quote, no NUL and no carriage return but before its line end, is UTF-8, and has nothing but
    the characters of a number or a time where its table has one: ranges are for the table to
    judge. Its total_amount is a plain decimal number that both destinations keep exactly, or
    empty.
    """

    def __init__(self, taxi: Taxi, month: Month) -> None:
        self.bytes = 0
        self.rows = 0
        self._total = 0  # in units of the last decimal
        self._known: dict[bytes, int] = {b"": 0}
        self._taxi = taxi
        self._month = month
        self._commas = len(taxi.columns) - 1
        self._after_total = self._commas - taxi.total_position
        forms = [_FORMS[column.postgres] for column in taxi.columns]
        self._row = re.compile(b",".join(pattern for pattern, _, _ in forms))
        self._skeleton = b",".join(left for _, _, left in forms)
        self._of_month = f",{month}-".encode()
        self._month_seen = False
        self._line = 1  # number of the next line in the file

    @property
    def total(self) -> Decimal:
        """The exact sum of the amounts so far, in cents where it has no more decimals."""
        total = Decimal(self._total).scaleb(-_SCALE, _WIDE)
        cents = total.quantize(_CENT, context=_WIDE)
        return cents if cents == total else total.normalize(_WIDE)

    def counted(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The same blocks; adds up their length."""
        for block in blocks:
            self.bytes += len(block)
            yield block

    def check(self, block: bytes) -> None:
        """Check one block of whole lines and add it up."""
        lines = rows.bare_lines(block)
        if self._line == 1:
            self._header(lines[0])
        if not self._regular(block, len(lines)):
            self._characters(block)
            self._columns(lines)
            self._fields(lines)
        if self._line == 1:
            del lines[0]
            self._line = 2
        self._month_seen = self._month_seen or self._of_month in block
        # Amounts repeat by the hundred: parse each distinct one once.
        after = self._after_total
        amounts = Counter([line.rsplit(b",", after + 1)[1] for line in lines])
        self._total += self._sum(amounts, lines)
        self.rows += len(lines)
        self._line += len(lines)

    def finish(self) -> None:
        """Check what only the end can tell."""
        if not self.rows:
            raise BadFile("the file has no rows" + (" after its header" if self._line > 1 else ""))
        if not self._month_seen:
            raise BadFile(f"no trip of {self._month} among {self.rows} rows: another month's file")

    def _regular(self, block: bytes, count: int) -> bool:
        """Whether the block is `count` usual lines, at a glance.

        Without the characters of numbers, times and flags, such a block is the same few commas
        and line end again and again. Anything else takes the long way, which finds out what it
        is.
        """
        left = block.translate(None, _VALUE)
        return left in ((self._skeleton + b"\r\n") * count, (self._skeleton + b"\n") * count)

    def _characters(self, block: bytes) -> None:
        """Only what every reader takes for plain text: checked on the block, told by line."""
        if b'"' in block:
            raise self._bad(block, b'"', "has a quote: month files have none")
        if b"\0" in block:
            raise self._bad(block, b"\0", "has a NUL byte")
        if block.count(b"\r") != block.count(b"\r\n"):
            raise self._bad(block.replace(b"\r\n", b"\n"), b"\r", "has a carriage return inside")
        if not block.isascii():
            try:
                block.decode("utf-8")
            except UnicodeDecodeError as error:
                raise self._bad(
                    block, block[error.start : error.start + 1], "is not UTF-8"
                ) from None

    def _bad(self, block: bytes, found: bytes, what: str) -> BadFile:
        line = self._line + block[: block.index(found)].count(b"\n")
        return BadFile(f"line {line} {what}")

    def _header(self, line: bytes) -> None:
        header = line.decode("utf-8", "replace")
        if header == self._taxi.header:
            return
        for other in TAXIS.values():
            if header == other.header:
                raise BadFile(
                    f"the file is of another taxi: its header is {other.name}'s, "
                    f"not {self._taxi.name}'s"
                )
        raise BadFile(f"wrong header: {_difference(header, self._taxi.header)}")

    def _columns(self, lines: list[bytes]) -> None:
        for number, line in enumerate(lines, self._line):
            if (commas := line.count(b",")) != self._commas:
                found = f"{commas + 1} columns" if line else "no columns: it is empty"
                raise BadFile(f"line {number} has {found}, not {self._commas + 1}")

    def _fields(self, lines: list[bytes]) -> None:
        for number, line in enumerate(lines, self._line):
            if number > 1 and not self._row.fullmatch(line):
                raise self._bad_field(number, line)

    def _bad_field(self, number: int, line: bytes) -> BadFile:
        """The first field of the line that is not what its column holds."""
        for column, text in zip(self._taxi.columns, line.split(b","), strict=True):
            pattern, what, _ = _FORMS[column.postgres]
            if not re.fullmatch(pattern, text):
                break
        return BadFile(f"line {number} has the {column.name} {_shown(text)}: {what}")

    def _sum(self, amounts: Counter[bytes], lines: list[bytes]) -> int:
        known = self._known
        for text in amounts.keys() - known.keys():
            if (match := _AMOUNT.fullmatch(text)) is None:
                raise self._no_amount(text, lines)
            sign, whole, decimals = match.groups(b"")
            if len(whole + decimals.rstrip(b"0")) > _DIGITS:
                raise self._no_amount(text, lines)
            known[text] = int(sign + (whole or b"0") + decimals.ljust(_SCALE, b"0"))
        total = sum(map(mul, map(known.__getitem__, amounts), amounts.values()))
        if len(known) > _KNOWN:
            self._known = {b"": 0}
        return total

    def _no_amount(self, text: bytes, lines: list[bytes]) -> BadFile:
        place = self._taxi.total_position
        at = next(at for at, line in enumerate(lines) if line.split(b",")[place] == text)
        return BadFile(
            f"line {self._line + at} has the total_amount {_shown(text)}: not a plain number of at "
            f"most {_DIGITS} digits, {_SCALE} of them decimals"
        )


def _shown(text: bytes) -> str:
    """A field as it may stand in a message: quoted, and not for ever."""
    return repr(text[:40].decode("utf-8", "replace"))


def _difference(found: str, wanted: str) -> str:
    """The first column in which two headers differ, in a few words."""
    columns = found.split(",")
    for place, name in enumerate(wanted.split(",")):
        if place >= len(columns):
            return f"column {place + 1} ({name}) is missing"
        if columns[place] != name:
            return f"column {place + 1} is {columns[place][:40]!r}, not {name!r}"
    return f"{len(columns)} columns, not {wanted.count(',') + 1}"
