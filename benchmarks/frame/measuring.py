"""Measuring a row: ours, the baseline, ours, the baseline, …: both meet the same machine."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.frame.results import Figures

Work = Callable[[int], float | None]
"""One run of the given number (from 0). Gives the seconds that count when it timed them itself."""


@dataclass(frozen=True)
class Row:
    """A piece of work and what a user would run instead of it.

    `reach`: the ratio of ours to the baseline that must not be exceeded (below 1: ours is
    faster); without a baseline, seconds. `growth`: for a row whose runs go on from each other
    (each adds a month), how many times the first one's seconds the last one may take.
    """

    title: str
    ours: Work
    reach: float
    baseline: str = ""
    theirs: Work | None = None
    growth: float | None = None
    times: int = 5


def measured(row: Row) -> Figures:
    """Run the row; one run of each goes before, uncounted, unless runs go on from each other."""
    ours: list[float] = []
    theirs: list[float] = []
    warm = 0 if row.growth else 1
    for number in range(row.times + warm):
        mine = _seconds(row.ours, number)
        other = _seconds(row.theirs, number) if row.theirs else None
        if number >= warm:
            ours.append(mine)
            theirs.extend([] if other is None else [other])
    return Figures(row.title, row.baseline, row.reach, row.growth, tuple(ours), tuple(theirs))


def _seconds(work: Work, number: int) -> float:
    began = time.perf_counter()
    told = work(number)
    return time.perf_counter() - began if told is None else told


def processor(work: Callable[[], object]) -> float:
    """Runs work that is one child process; its user and system seconds, whatever else runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def surroundings() -> dict[str, str]:
    """The environment of a process that is measured: Python keeps what it has compiled.

    A shell that says otherwise makes each start compile every module, in twice the time.
    """
    left_out = "PYTHONDONTWRITEBYTECODE"
    return {name: value for name, value in os.environ.items() if name != left_out}
