"""Which of two Kestra releases is the older one."""

from __future__ import annotations


def numbers(version: str) -> tuple[int, ...]:
    """`2.0.8` as (2, 0, 8); what comes after a dash counts for nothing."""
    return tuple(int(part) for part in version.lstrip("v").split("-")[0].split(".") if part)
