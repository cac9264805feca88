"""Generated rows of For-Hire Vehicles, with what people report of the real files.

In order of the base that sent the car, not of time; the rows of the first bases without zones
(before February 2019 and from 2020 on) and zone 264 ("unknown") in the months between; base
numbers filled with blanks to 15 characters, in small letters, `\\N` or missing; a drop-off in the
year 3019; exact duplicates; SR_Flag empty but for shared rides of 2018; other capitals in the
header from 2020 on. How many of each is made up: what matters is that a file has them.
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Iterator

from taxi_etl.month import Month
from taxi_etl.schema import Taxi

_OTHER_CAPITALS_SINCE = Month(2020, 1)
_UNKNOWN = range(Month(2019, 2).index, Month(2020, 1).index)  # months that say 264
_BASES = tuple(f"B{number:05d}" for number in range(1, 3400, 83))
_TWO = tuple(f"{number:02d}" for number in range(60))
_NULLS = 0.1  # the part of the other months' rows that has no zones


def lines(taxi: Taxi, month: Month, rows: int) -> Iterator[str]:
    """The header and every row, without their line ends."""
    yield _header(taxi, month)
    draw = random.Random(f"{taxi.name} {month}").random  # noqa: S311
    length = calendar.monthrange(month.year, month.number)[1]
    nulls = 0 if month.index in _UNKNOWN else int(rows * _NULLS)
    last = ""
    for number in range(rows):
        if last and number % 20000 == 73:
            yield last
            continue
        base = _base(number, rows)
        start = int(draw() * 86400)
        day, end = 1 + int(draw() * length), min(start + 120 + int(draw() * 3600), 86399)
        from_, to = _zones(month, draw() < 0.3, 1 + int(draw() * 263), 1 + int(draw() * 265))
        if number < nulls:
            from_ = to = ""
        shared = "1" if month.year < 2019 and draw() < 0.2 else ""
        last = (
            f"{base},{month}-{_TWO[day]} {_clock(start)},"
            f"{'3019-02-03' if number % 20000 == 29 else f'{month}-{_TWO[day]}'} {_clock(end)},"
            f"{from_},{to},{shared},{_affiliated(base, draw())}"
        )
        yield last


def _header(taxi: Taxi, month: Month) -> str:
    """As in `taxi`, or in the capitals of the later files."""
    if month < _OTHER_CAPITALS_SINCE:
        return taxi.header
    return taxi.header.replace("dropOff", "dropoff").replace("location", "Location")


def _base(number: int, rows: int) -> str:
    """The base of a row: in order, and once in a file of a few hundred rows each odd form."""
    base = _BASES[number * len(_BASES) // rows]
    odd = number % 20000
    if odd == 13:
        return ""
    if odd == 37:
        return "\\N"
    if odd == 53:
        return base.lower()
    return base.ljust(15) if int(base[1:]) % 7 == 0 else base


def _zones(month: Month, unknown: bool, start: int, end: int) -> tuple[int | str, int | str]:
    """Where a ride began and ended; the one is unknown more often than the other."""
    if not unknown:
        return start, end
    return (264 if month.index in _UNKNOWN else ""), end


def _affiliated(base: str, drawn: float) -> str:
    return base if drawn < 0.7 else _BASES[int(drawn * len(_BASES))] if drawn < 0.9 else ""


def _clock(second: int) -> str:
    minute = second // 60
    return f"{_TWO[minute // 60]}:{_TWO[minute % 60]}:{_TWO[second % 60]}"
