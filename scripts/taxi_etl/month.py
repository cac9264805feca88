"""A calendar month: what a file, a partition and an execution are about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from taxi_etl.errors import WrongUse

_TEXT = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?", re.ASCII)


@dataclass(frozen=True, order=True)
class Month:
    """One month; ordered by time, printed as `YYYY-MM`, free of time zones."""

    year: int
    number: int

    def __post_init__(self) -> None:
        """Refuse what the calendar does not have."""
        if not (1 <= self.number <= 12 and 1 <= self.year <= 9999):
            raise WrongUse(f"there is no month {self.year:04d}-{self.number:02d}")

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read `YYYY-MM`; a date `YYYY-MM-DD` is reduced to its month.

        Raises WrongUse for any other text, and for days and months that do not exist.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise WrongUse(f"{text!r} is not a month: write YYYY-MM, for example 2019-01")
        year, number, day = match.groups()
        try:
            date(int(year), int(number), int(day or 1))
        except ValueError as error:
            raise WrongUse(f"{text!r} is not a month of the calendar: {error}") from error
        return cls(int(year), int(number))

    @classmethod
    def of(cls, day: date) -> Month:
        """The month that a day lies in: the way back from `source_month`."""
        return cls(day.year, day.month)

    @classmethod
    def range(cls, first: Month, last: Month) -> list[Month]:
        """Every month from `first` to `last`, both included. Raises WrongUse when it is empty."""
        if last < first:
            raise WrongUse(f"the range ends ({last}) before it starts ({first})")
        return list(cls._walk(first, last))

    @staticmethod
    def _walk(first: Month, last: Month) -> Iterator[Month]:
        for index in range(first.index, last.index + 1):
            yield Month(index // 12, index % 12 + 1)

    @property
    def index(self) -> int:
        """Its number from year 0 on, without a gap."""
        return self.year * 12 + self.number - 1

    @property
    def first_day(self) -> date:
        """The first day: the value of `source_month` in the tables."""
        return date(self.year, self.number, 1)

    def next(self) -> Month:
        """The month after this one."""
        index = self.index + 1
        return Month(index // 12, index % 12 + 1)

    def __str__(self) -> str:
        """`YYYY-MM`, as in the names of the files."""
        return f"{self.year:04d}-{self.number:02d}"


EVER = (Month(1, 1), Month(9999, 12))
"""The first and the last month: the range that leaves none out."""
