"""A length of time as a person writes it: `30m`, `6h`, `2d`."""

from __future__ import annotations

import re
from datetime import timedelta

from taxistack.errors import UsageError

_LENGTH = re.compile(r"(\d{1,6})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def age(flag: str, text: str) -> timedelta:
    """Read it. Raises UsageError with the flag and the rule."""
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise UsageError(f"{flag} {text}: must be like 30m, 6h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def in_words(length: timedelta) -> str:
    """The largest unit of which it is two or more, as a person says it: `3 h`."""
    minutes = int(length.total_seconds() // 60)
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} d"
    return f"{minutes // 60} h" if minutes >= 120 else f"{minutes} min"
