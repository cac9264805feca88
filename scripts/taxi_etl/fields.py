"""What a field may be: exactly the text that every destination reads alike.

Each kind of column has a usual form, one pattern that is tried on whole blocks, and the rule
itself, which is asked of the fields that have another form. Anything else is refused with its
line and column, before the lake is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from taxi_etl.schema import Kind

DIGITS = 15
"""Significant digits: more than these a double precision number does not keep exactly."""

SCALE = 9
"""Decimals: as many as BigQuery's NUMERIC has."""

# The calendar of 2000 to 2099; the usual days first.
_DAY = (
    rb"20\d\d-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    rb"|(?:0[13578]|1[02])-31|(?<=[02468][048]-|[13579][26]-)02-29)"
)
_CLOCK = rb"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_TIME = re.compile(rb"(\d{4})-(\d\d)-(\d\d) " + _CLOCK + rb"(?:\.\d{1,6})?")
_WHOLE = re.compile(rb"-?\d{1,20}")
_NUMBER = re.compile(rb"-?(?=\.?\d)0*(\d*)(?:\.(\d{0,9}))?")


@dataclass(frozen=True)
class Rule:
    """One kind of field: its usual form, whether a text is one, and how another is refused.

    `usual` has no group and never looks back (possessive): a block of a million fields is
    matched in one go. It accepts less than `allows` does, never more; both accept nothing at all.
    """

    usual: bytes
    allows: Callable[[bytes], bool]
    told: str


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


_TEXT = Rule(rb"[ !#-+\--~]*+", lambda text: True, "")
_INTEGER = Rule(rb"(?:-(?=\d))?+\d{0,9}+", _is_whole, "not a whole number of 32 bits")
RULES: dict[Kind, Rule] = {
    Kind.TEXT: _TEXT,
    Kind.TIME: Rule(
        rb"(?:" + _DAY + rb" " + _CLOCK + rb")?+",
        _is_time,
        "not a date and time (YYYY-MM-DD HH:MM:SS, at most 6 decimals)",
    ),
    Kind.WHOLE: _INTEGER,
    Kind.CODE: _INTEGER,
    Kind.NUMBER: Rule(
        rb"(?:-(?=[.\d]))?+\d{0,6}+(?:\.\d{1,9}+)?+",
        _is_number,
        f"not a plain number of at most {DIGITS} digits, {SCALE} of them decimals",
    ),
}
"""The rule of every kind that a month file can have."""
