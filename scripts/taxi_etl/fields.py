"""What a field may be: exactly the text that every destination reads alike.

Anything else is refused with its line and column, before the lake is touched. These are the
rules, asked field by field; `columns` reads the usual forms of many rows at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

from taxi_etl.schema import Kind, Taxi

DIGITS = 15
"""Significant digits: more than these a double precision number does not keep exactly."""

SCALE = 9
"""Decimals: as many as BigQuery's NUMERIC has."""

_KNOWN = 1 << 16  # texts that are remembered of a kind: some megabytes

_CLOCK = rb"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_TIME = re.compile(rb"(\d{4})-(\d\d)-(\d\d) " + _CLOCK + rb"(?:\.\d{1,6})?")
_AMOUNT = re.compile(rb"(-?)(\d*)\.?(\d*)")
_WHOLE = re.compile(rb"-?\d{1,20}")
_NUMBER = re.compile(rb"-?(?=\.?\d)0*(\d*)(?:\.(\d{0,9}))?")


class Rule(NamedTuple):
    """One kind of field: whether a text is one, and how another is refused. Empty is allowed."""

    allows: Callable[[bytes], bool]
    refusal: str


def _is_time(text: bytes) -> bool:
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    year, month, day = map(int, match.groups())
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _is_whole(text: bytes) -> bool:
    """Of PostgreSQL's integer, which is narrower than INT64."""
    return _WHOLE.fullmatch(text) is not None and -(2**31) <= int(text) < 2**31


def _is_number(text: bytes) -> bool:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return False
    whole, decimals = match.groups(b"")
    return len(whole + decimals.rstrip(b"0")) <= DIGITS


_INTEGER = Rule(_is_whole, "not a whole number of 32 bits")
RULES: dict[Kind, Rule] = {
    Kind.TEXT: Rule(lambda text: True, ""),
    Kind.TIME: Rule(_is_time, "not a date and time (YYYY-MM-DD HH:MM:SS, at most 6 decimals)"),
    Kind.WHOLE: _INTEGER,
    Kind.CODE: _INTEGER,
    Kind.NUMBER: Rule(
        _is_number, f"not a plain number of at most {DIGITS} digits, {SCALE} of them decimals"
    ),
}
"""The rule of every kind that a month file can have."""


class Rules:
    """The rules of a taxi's rows. A text that was allowed once is not looked at again."""

    def __init__(self, taxi: Taxi) -> None:
        """Nothing is known yet."""
        known: dict[Kind, set[bytes]] = {column.kind: {b""} for column in taxi.columns}
        self._columns = [
            (place, column, known[column.kind])
            for place, column in enumerate(taxi.columns)
            if column.kind is not Kind.TEXT
        ]
        self._units: dict[bytes, int] = {}

    def broken(self, fields: Sequence[bytes]) -> str:
        """The first field that is refused, in words; empty when all are allowed."""
        for place, column, known in self._columns:
            text = fields[place]
            if text not in known:
                rule = RULES[column.kind]
                if not rule.allows(text):
                    return f"{column.name} {_shown(text)}: {rule.refusal}"
                if len(known) < _KNOWN:
                    known.add(text)
        return ""

    def units(self, text: bytes) -> int:
        """A number that is allowed, in units of its last possible decimal; 0 for an empty one."""
        value = self._units.get(text)
        if value is None:
            sign, whole, decimals = _AMOUNT.fullmatch(text).groups()  # type: ignore[union-attr]
            value = int(sign + (whole or b"0") + decimals.ljust(SCALE, b"0"))
            if len(self._units) < _KNOWN:
                self._units[text] = value
        return value


def _shown(text: bytes) -> str:
    """A field as it may stand in a message: quoted, and not for ever."""
    return repr(text[:40].decode("utf-8", "replace"))
