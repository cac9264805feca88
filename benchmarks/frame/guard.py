"""Compares fresh ratios with the committed ones, with room for a machine's noise."""

from __future__ import annotations

from benchmarks.frame.results import Figures, Result

ROOM = 1.25
"""How many times the committed ratio a fresh one may be; the committed spread comes on top."""


def worse(fresh: Result, kept: Result) -> list[str]:
    """In words, every row that is slower against its baseline than the committed table says."""
    known = {row.title: row for row in kept.rows}
    found = []
    for row in fresh.rows:
        before = known.get(row.title)
        if before is None:
            found.append(f"{row.title}: is not in the committed results")
        elif row.ratio is not None and before.ratio is not None and row.ratio > _limit(before):
            found.append(
                f"{row.title}: {row.ratio:.2f} times its baseline, committed {before.ratio:.2f}, "
                f"at most {_limit(before):.2f}"
            )
    return found


def _limit(row: Figures) -> float:
    assert row.ratio is not None
    return max(row.ratio * ROOM, max(row.ratios))
