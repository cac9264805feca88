"""A length of time as a person writes it: `30m`, `6h`, `2d`."""

from __future__ import annotations

import re
from datetime import timedelta

from taxistack.errors import UsageError

_LENGTH = re.compile(r"(\d{1,6})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def age(flag: str, text: str) -> timedelta:
    """Read it. Raises UsageError with the flag and the rule."""
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise UsageError(f"{flag} {text}: must be like 30m, 6h or 2d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
