"""A block of a month file as columns of numbers: many rows at a time, outside the interpreter.

Each field of eight characters at most is one 64-bit word, and so are the three parts of a time;
whether they are digits, and which number they are, is arithmetic on all words of a column at
once. What is read here is exactly what `fields` allows: a row in which something has another
form is only marked (`odd`), and the caller asks the rules about it.

NumPy costs a tenth of a second to import: it is imported by the first block that is worth it.
"""

from __future__ import annotations

import sys
import threading
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from taxi_etl.month import Month
from taxi_etl.schema import Kind, Taxi

if TYPE_CHECKING:
    from mmap import mmap

    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

_WORTH, _WORTH_LOADED = 8_000, 300

_IMPORTING = threading.Lock()  # two threads may ask for NumPy first

_BYTES = 8
_TIME = 19
_EPOCH = date(2000, 1, 1)
_MICROSECONDS = 1_000_000


def _word(text: str) -> int:
    """Eight characters as they lie in memory, the first one lowest."""
    return int.from_bytes(text.encode("latin-1"), "little")


def _each(byte: int) -> int:
    return byte * 0x0101010101010101


_ZEROS = _each(ord("0"))
_HIGH = _each(0x80)
_NO_DIGIT = _each(0x7F - 9)  # added to a byte above 9, it sets the byte's highest bit
_MINUS, _POINT = ord("-") ^ ord("0"), ord(".") ^ ord("0")


def _most(text: str) -> int:
    """What to add so that a byte above its digit sets the highest bit."""
    return _word("".join(chr(0x7F - int(digit)) for digit in text))


# The parts of a time: how they look, and the most that each character may be above that.
_DATE, _DATE_MOST = _word("2000-00-"), _most("00990190")
_HOUR, _HOUR_MOST = _word("00 00:00"), _most("39029059")
_CLOCK, _CLOCK_MOST = _word("00:00:00"), _most("29059059")


def worth(rows: int) -> bool:
    """Whether so many rows are read faster by columns than row by row, the import included."""
    return rows >= (_WORTH_LOADED if sys.modules.get("numpy") else _WORTH)


@dataclass(frozen=True)
class Times:
    """Times of a column; those of empty fields mean nothing."""

    days: Array
    """Since 2000-01-01."""
    seconds: Array
    """Since midnight."""
    months: Array
    """Month.index; 0 for no time."""

    def microseconds(self) -> Array:
        """Since 2000-01-01 00:00."""
        return (self.days * 86_400 + self.seconds) * _MICROSECONDS


@dataclass(frozen=True)
class Numbers:
    """Numbers of a column as they stand there; 0 for an empty field."""

    units: Array
    """The number without its sign and its point."""
    decimals: Array
    """How many of its digits stand behind the point, 0 to 7."""
    negative: Array

    def only(self, chosen: Array) -> Numbers:
        """Those of the chosen rows."""
        return Numbers(self.units[chosen], self.decimals[chosen], self.negative[chosen])

    def floats(self) -> Array:
        """The nearest double precision numbers: both parts of the division are exact."""
        powers: Array = _numpy().power(10.0, _numpy().arange(_BYTES))
        sizes = self.units / powers[self.decimals]
        return _signed(sizes, self.negative)

    def total(self, scale: int) -> int:
        """The exact sum in units of 10 ** -`scale`."""
        signed = _signed(self.units, self.negative)
        return sum(
            int(signed[self.decimals == decimals].sum()) * 10 ** (scale - decimals)
            for decimals in range(_BYTES)
        )


class Lines(Sequence[bytes]):
    """The lines of a text, without their ends: those between `starts` and `ends`."""

    def __init__(self, text: bytes, starts: Array, ends: Array) -> None:
        """Nothing is cut before it is asked for."""
        self.text, self.starts, self.ends = text, starts, ends

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self.starts)

    def __getitem__(self, place: Any) -> Any:
        """The line at that place."""
        return self.text[self.starts[place] : self.ends[place]]


class Columns:
    """The fields of a block of plain text with as many columns in every row as the taxi has."""

    def __init__(self, data: bytes, taxi: Taxi, marks: Array, ends: Array, width: int) -> None:
        """`data`: the block between a word and a time; its lines end in `width` characters."""
        np = _numpy()
        self.taxi = taxi
        self.rows = len(ends)
        self.odd: Array = np.zeros(self.rows, bool)
        """Rows that have something which is not read here."""
        self._marks, self._ends, self._end = marks, ends, width
        self._kept: dict[int, Array] = {}
        self._times: dict[int, Times] = {}
        self._digits: dict[int, tuple[Array, Array, Array]] = {}
        self._words = np.ndarray((len(data) - _BYTES + 1,), "<u8", data, strides=(1,))

    @classmethod
    def of(cls, block: bytes, taxi: Taxi, end: bytes) -> Columns | None:
        """The columns of whole lines that end so; None for a block that has to be looked into.

        That is one with other characters than printable ASCII, with a quote, with another line
        end or with another number of columns somewhere.
        """
        np = _numpy()
        characters = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(characters == ord("\n"))
        marks = np.flatnonzero(characters == ord(","))
        rows, between = len(ends), len(taxi.columns) - 1
        if (
            b'"' in block
            or characters.max() > ord("~")
            or np.count_nonzero(characters < ord(" ")) != rows * len(end)
            or (len(end) == 2 and not (characters[ends - 1] == ord("\r")).all())
            or len(marks) != rows * between
        ):
            return None
        marks = marks.reshape(rows, between)
        if not ((marks[:, -1] < ends).all() and (marks[1:, 0] > ends[:-1]).all()):
            return None
        # So many bytes around it that a word, or a time, can be read at every place
        around = b"".join((bytes(_BYTES), block, bytes(_TIME)))
        return cls(around, taxi, marks, ends, len(end))

    def lines(self, block: bytes) -> Lines:
        """The rows as they stand in the block."""
        return Lines(block, self.starts(0), self._ends - (self._end - 1))

    def starts(self, place: int) -> Array:
        """Where the fields of a column begin in the block."""
        if place:
            return self.ends(place - 1) + 1
        first: Array = _numpy().concatenate(([0], self._ends[:-1] + 1))
        return first

    def ends(self, place: int) -> Array:
        """Where the fields of a column end in the block."""
        if place == self._marks.shape[1]:
            return self._ends - (self._end - 1)
        if place not in self._kept:
            self._kept[place] = _numpy().ascontiguousarray(self._marks[:, place])
        return self._kept[place]

    def lengths(self, place: int) -> Array:
        """How many characters the fields of a column have."""
        return self.ends(place) - self.starts(place)

    def words(self, places: Array) -> Array:
        """The eight bytes from each place of the block on."""
        words: Array = self._words[places + _BYTES]
        return words

    def check(self) -> None:
        """Mark the rows that have something odd, in any column."""
        for place, column in enumerate(self.taxi.columns):
            if column.kind is Kind.TIME:
                self.times(place)
            elif column.kind is not Kind.TEXT:
                self._read_digits(place, point=column.kind is Kind.NUMBER)

    def wholes(self, place: int) -> Array:
        """The whole numbers of a column; 0 for an empty field."""
        digits, negative, _ = self._read_digits(place, point=False)
        return _signed(_read(digits), negative)

    def numbers(self, place: int) -> Numbers:
        """The numbers of a column."""
        np = _numpy()
        digits, negative, point = self._read_digits(place, point=True)
        # The characters before the point move up to its place
        before = digits & (point - 1)
        behind = digits & ~(point * 255) & ~(point - 1)
        whole = behind | before << np.where(point, np.uint64(8), np.uint64(0))
        # The highest byte of this product is the place of the point, counted from the end
        decimals = (point * 0x0706050403020100) >> 56 & 7
        return Numbers(_read(whole), decimals.astype(np.uint8), negative)

    def _read_digits(self, place: int, *, point: bool) -> tuple[Array, Array, Array]:
        """The values of a field's digits, right-aligned in a word; its sign; a 1 at its point."""
        if place in self._digits:
            return self._digits[place]
        np = _numpy()
        ends = self.ends(place)
        lengths = ends - self.starts(place)
        shift = (8 * (_BYTES - np.minimum(lengths, _BYTES))).astype(np.uint64)
        field = (self.words(ends - _BYTES) ^ _ZEROS) >> shift
        negative = field & 255 == _MINUS
        field ^= negative * np.uint64(_MINUS)
        field <<= shift
        others = (field + _NO_DIGIT & _HIGH) >> 7
        self.odd |= (lengths > _BYTES) | (negative & (lengths == 1))
        if point:
            # One other character at most, a point, and a digit behind it
            self.odd |= (
                (others & (others - 1) != 0)
                | (field & others * 255 != others * _POINT)
                | (others >> 56 != 0)
            )
        else:
            self.odd |= others != 0
        self._digits[place] = field, negative, others
        return self._digits[place]

    def times(self, place: int) -> Times:
        """The times of a column; marks what is none of this century without decimals."""
        if place in self._times:
            return self._times[place]
        np = _numpy()
        starts, lengths = self.starts(place), self.lengths(place)
        there = lengths != 0
        day = self.words(starts) ^ _DATE
        hour = self.words(starts + 8) ^ _HOUR
        clock = self.words(starts + 11) ^ _CLOCK
        wrong = (day + _DATE_MOST | hour + _HOUR_MOST | clock + _CLOCK_MOST) & _HIGH
        # Two digits are ten times the first and the second, in the first one's byte
        day, hour, clock = (two * 10 + (two >> 8) for two in (day, hour, clock))
        year_month = ((day >> 16 & 127) << 5 | day >> 40 & 31).astype(np.intp)
        firsts, lasts = _calendar()
        in_month = (hour & 255).astype(np.int64)
        hours = (hour >> 24 & 255).astype(np.int64)
        self.odd |= there & (
            (lengths != _TIME) | (wrong != 0) | (in_month < 1) | (in_month > lasts[year_month])
            | (hours > 23)
        )  # fmt: skip
        minutes = (clock >> 24 & 255).astype(np.int64)
        seconds = hours * 3600 + minutes * 60 + (clock >> 48 & 255).astype(np.int64)
        months = (year_month >> 5) * 12 + (year_month & 31) + (Month(2000, 1).index - 1)
        times = Times(firsts[year_month] + in_month - 1, seconds, np.where(there, months, 0))
        self._times[place] = times
        return times


def _read(digits: Array) -> Array:
    """The number that eight digits are, the first one in the lowest byte: in pairs, by pairs."""
    pairs = (digits * 10 + (digits >> 8)) & 0x00FF00FF00FF00FF
    fours = (pairs * 100 + (pairs >> 16)) & 0x0000FFFF0000FFFF
    eights: Array = ((fours * 10_000 + (fours >> 32)) & 0xFFFFFFFF).astype(_numpy().int64)
    return eights


def _signed(values: Array, negative: Array) -> Array:
    signed: Array = _numpy().where(negative, -values, values)
    return signed


@cache
def _calendar() -> tuple[Array, Array]:
    """For `year of the century << 5 | month`: days up to its first one, and its days (0: none)."""
    np = _numpy()
    firsts, lasts = np.zeros(128 << 5, np.int64), np.zeros(128 << 5, np.int64)
    for year in range(100):
        for month in range(1, 13):
            firsts[year << 5 | month] = (date(2000 + year, month, 1) - _EPOCH).days
            lasts[year << 5 | month] = monthrange(2000 + year, month)[1]
    return firsts, lasts


@cache
def _numpy() -> Any:
    with _IMPORTING:
        # Google's clients take NumPy to be missing (see lean.py); from now on it is there
        if sys.modules.get("numpy", sys) is None:
            del sys.modules["numpy"]
        import numpy

        return numpy


def seen(bits: mmap, ids: bytes) -> list[int]:
    """Of ids of 16 bytes, the places of those whose two bits are both set; sets them all.

    There is a power of two of bits.
    """
    np = _numpy()
    known = np.frombuffer(bits, np.uint8)
    digests = np.frombuffer(ids, "<u4").reshape(-1, 4)
    words = [digests[:, column] & ((len(bits) << 3) - 1) for column in (0, 1)]
    may_be = np.ones(len(digests), bool)
    for word in words:
        places, masks = word >> 3, np.left_shift(1, word & 7, dtype=np.uint8, casting="unsafe")
        before = known[places]
        may_be &= before & masks != 0
        known[places] = before | masks
        # Of two that meet in a byte, the first one's bit is lost so
        lost = known[places] & masks == 0
        np.bitwise_or.at(known, places[lost], masks[lost])
    # Those that meet among themselves: every one but the first of its first word
    ordered = np.sort(words[0])
    if (ordered[1:] == ordered[:-1]).any():
        _, first = np.unique(words[0], return_index=True)
        again = np.ones(len(digests), bool)
        again[first] = False
        may_be |= again
    suspects: list[int] = np.flatnonzero(may_be).tolist()
    return suspects
