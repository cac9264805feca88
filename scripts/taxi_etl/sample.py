"""Generated month files with TLC's schema and the quirks of the real ones.

Sample trips, not TLC's: for demonstrations and tests without a network. The text of a file
depends on nothing but taxi, month and number of rows. Its .gz is the same bytes wherever zlib
is (no time stamp and no name in it; other implementations of deflate may pack it differently).
What the real files show and these do too: CRLF, numbers like `.79`, `8` and `-52`, one block of
rows without vendor at the end from 2019-07 on, pickups of other months, refunds next to the trip
they take back, exact duplicates, odd passenger counts and rates, no ehail_fee, and no
congestion_surcharge in most rows before February 2019. `sample_fhv` has what is other in fhv.
"""

from __future__ import annotations

import calendar
import gzip
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from taxi_etl import sample_fhv
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Taxi

_BLOCK = 2000
_NULLS_SINCE = Month(2019, 7)
_SURCHARGE_SINCE = Month(2019, 2)
_TWO = tuple(f"{number:02d}" for number in range(60))
_HOURS = bytes.fromhex(  # one byte an hour of the day, as often as trips start in it
    "0000010203050606070708080809090a0a0b0b0c0c0d0d0e0e0f0f10101111111212121213131314141515161617"
)
_PASSENGERS = tuple("1" * 70 + "2" * 15 + "3" * 4 + "4" * 2 + "5" * 4 + "6" * 3 + "0")
_RATES = tuple("1" * 96 + "22534")
_EXTRAS = (0, 0, 0, 50, 50, 100, 250, 300)


def write(path: Path, taxi: str, month: Month, rows: int) -> None:
    """Write a month file of `rows` trips to `path`, whole or not at all; its folder exists."""
    part = path.with_name(path.name + ".part")
    with (
        part.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
    ):
        for block in text(TAXIS[taxi], month, rows):
            packed.write(block)
    part.replace(path)


def text(taxi: Taxi, month: Month, rows: int) -> Iterator[bytes]:
    """The file's text in blocks, header first."""
    lines = GENERATORS[taxi.name](taxi, month, rows)
    yield f"{next(lines)}\r\n".encode()
    block: list[str] = []
    for row in lines:
        block.append(row)
        if len(block) == _BLOCK:
            yield ("\r\n".join(block) + "\r\n").encode()
            block = []
    if block:
        yield ("\r\n".join(block) + "\r\n").encode()


def null_share(taxi: Taxi, month: Month) -> float:
    """The part of a month's rows that has no vendor, about as in the real files."""
    if month < _NULLS_SINCE:
        return 0.0
    if taxi.name == "green":
        return 0.2 if month.year == 2019 else 0.45
    return 0.12 if Month(2020, 4) <= month <= Month(2020, 6) else 0.006


class _Trips:
    """The rows of a yellow or green file in order, from one stream of random numbers."""

    def __init__(self, taxi: Taxi, month: Month, rows: int) -> None:
        self._green = taxi.name == "green"
        self._month = month
        self._rows = rows
        self._nulls_from = rows - int(rows * null_share(taxi, month))
        self._random = random.Random(f"{taxi.name} {month}").random  # noqa: S311
        first = month.first_day
        self._length = calendar.monthrange(month.year, month.number)[1]
        self._days = [str(first + timedelta(days=day)) for day in range(self._length + 2)]
        self._surcharge = month >= _SURCHARGE_SINCE

    def lines(self) -> Iterator[str]:
        """Every row, without its line end."""
        # Where the rare things stand: at least once in any file of a few hundred rows.
        strays = self._places(7000, at=17)
        refunds = self._places(350, at=41)
        duplicates = self._places(20000, at=73)
        number, last = 0, ""
        while number < self._rows:
            if number in duplicates and last:
                yield last
            elif number in refunds and number + 1 < min(self._rows, self._nulls_from):
                trip = self._trip(nulls=False)
                yield self._line(trip)
                yield self._line(self._refunded(trip))
                number += 1
            else:
                trip = self._trip(nulls=number >= self._nulls_from)
                if number in strays:
                    self._strayed(trip)
                last = self._line(trip)
                yield last
            number += 1

    def _places(self, every: int, at: int) -> range:
        return range(at, self._rows, every)

    def _trip(self, *, nulls: bool) -> dict[str, str | int]:
        draw = self._random
        distance = int(draw() * 2000) * int(draw() * 2000) // 2500
        if draw() < 0.00005:
            distance = 20_565_400 - int(draw() * 10_000_000)
        hour = _HOURS[int(draw() * len(_HOURS))]
        day, start = int(draw() * self._length), hour * 3600 + int(draw() * 3600)
        card = draw() < 0.7
        fare = 250 + 50 * (min(distance, 20000) // 20)
        if nulls:
            fare += int(draw() * 50)
        trip = {
            "vendor": "" if nulls else "1" if draw() < 0.35 else "2",
            "pickup": self._time(day, start - start % 60 if nulls else start),
            "dropoff": self._time(day, start + 120 + min(distance, 5000) * 2 + int(draw() * 300)),
            "passengers": "" if nulls else self._passengers(draw()),
            "distance": distance,
            "rate": "" if nulls else "99" if draw() < 0.0002 else _RATES[int(draw() * 101)],
            "flag": "" if nulls else "Y" if draw() < 0.005 else "N",
            "from": 1 + int(draw() * 263),
            "to": 1 + int(draw() * 265),
            "payment": "" if nulls else "1" if card else "2",
            "fare": fare,
            "extra": 275 if nulls else _EXTRAS[int(draw() * 8)],
            "tax": 0 if nulls else 50,
            "tip": fare * (10 + int(draw() * 16)) // 100 if card and not nulls else 0,
            "tolls": 612 if draw() < 0.04 else 0,
            "improvement": 30,
            "type": "" if nulls else "1",
        }
        trip["congestion"] = self._congestion(draw(), nulls=nulls)
        return trip

    def _congestion(self, drawn: float, *, nulls: bool) -> str | int:
        if nulls:
            return "" if self._green else 0
        if not self._surcharge:
            return "" if drawn < 0.63 else 0
        return (275 if drawn < 0.3 else 0) if self._green else (250 if drawn < 0.9 else 0)

    @staticmethod
    def _passengers(drawn: float) -> str:
        if drawn < 0.0005:
            return "8" if drawn < 0.00025 else "9"
        return _PASSENGERS[int(drawn * len(_PASSENGERS))]

    def _time(self, day: int, second: int) -> str:
        day, second = day + second // 86400, second % 86400
        minute = second // 60
        return f"{self._days[day]} {_TWO[minute // 60]}:{_TWO[minute % 60]}:{_TWO[second % 60]}"

    def _strayed(self, trip: dict[str, str | int]) -> None:
        """Move a trip out of its month: back to 2008, some weeks before, or a month ahead."""
        which = int(self._random() * 3)
        first = self._month.first_day
        days = (date(2008, 12, 31), first - timedelta(days=20), self._month.next().first_day)
        for end in ("pickup", "dropoff"):
            trip[end] = f"{days[which]} {str(trip[end])[11:]}"

    @staticmethod
    def _refunded(trip: dict[str, str | int]) -> dict[str, str | int]:
        """The twin that takes a trip back: the same with negative amounts."""
        amounts = ("fare", "extra", "tax", "tip", "tolls", "improvement", "congestion")
        negative = {key: -trip[key] for key in amounts if isinstance(trip[key], int)}  # type: ignore[operator]
        return {**trip, **negative, "payment": "4"}

    def _line(self, trip: dict[str, str | int]) -> str:
        amounts = [trip[key] for key in ("fare", "extra", "tax", "tip", "tolls")]
        improvement, congestion = trip["improvement"], trip["congestion"]
        total = sum(amounts) + improvement + (congestion or 0)  # type: ignore[arg-type,operator]
        fare, extra, tax, tip, tolls = map(_money, amounts)
        surcharge = congestion if congestion == "" else _money(congestion)
        start = f"{trip['vendor']},{trip['pickup']},{trip['dropoff']}"
        money = f"{fare},{extra},{tax},{tip},{tolls}"
        if self._green:
            return (
                f"{start},{trip['flag']},{trip['rate']},{trip['from']},{trip['to']},"
                f"{trip['passengers']},{_miles(trip['distance'])},{money},,{_money(improvement)},"  # type: ignore[arg-type]
                f"{_money(total)},{trip['payment']},{trip['type']},{surcharge}"
            )
        return (
            f"{start},{trip['passengers']},{_miles(trip['distance'])},{trip['rate']},"  # type: ignore[arg-type]
            f"{trip['flag']},{trip['from']},{trip['to']},{trip['payment']},{money},"
            f"{_money(improvement)},{_money(total)},{surcharge}"
        )


@lru_cache(maxsize=1 << 14)
def _money(cents: int) -> str:
    """An amount as TLC writes it: no more decimals than it needs, `-52`, `0.5`, `9.95`."""
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    whole, rest = divmod(cents, 100)
    return f"{sign}{whole}" + (f".{rest:02d}".rstrip("0") if rest else "")


def _miles(hundredths: int) -> str:
    """A distance as TLC writes it: two decimals, no zero before the point."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole or ''}.{_TWO[rest] if rest < 60 else rest}"


def _metered(taxi: Taxi, month: Month, rows: int) -> Iterator[str]:
    yield taxi.header
    yield from _Trips(taxi, month, rows).lines()


GENERATORS: Mapping[str, Callable[[Taxi, Month, int], Iterator[str]]] = {
    "yellow": _metered,
    "green": _metered,
    "fhv": sample_fhv.lines,
}
"""What makes the lines of each series, header first, without their line ends."""
