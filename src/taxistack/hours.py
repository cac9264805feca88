"""The hours in which the VM runs (setting `schedule`), and the ticks of the flows within them.

A load's Schedule trigger whose time comes while the VM is stopped is missed for good: the flows say
`recoverMissedSchedules: NONE`, so that a server that comes back does not load months that nobody
waits for. So hours that miss a tick are refused. What is made up for at the next start
(`LAST`: cleaning, the look for missed months) may come at any time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from taxistack.errors import UsageError
from taxistack.settings import ROOT

DAY = 24 * 60  # minutes
ROOM = 60  # minutes that a tick's load must have before the VM stops
_BOOT = 15  # minutes after the start until the server surely runs
_TIMES = re.compile(r"(\d+) (\d+) \S+ \S+ \S+")  # the crons of our flows: one time of a day


@dataclass(frozen=True)
class Tick:
    """One trigger's time: the flow, the trigger, minutes after midnight UTC."""

    flow: str
    trigger: str
    minute: int

    def __str__(self) -> str:
        """As a message names it."""
        return f"{self.flow}/{self.trigger} at {self.minute // 60:02}:{self.minute % 60:02}"


def span(schedule: str) -> tuple[int, int]:
    """First and last minute of the day; all of it for an empty setting.

    Raises UsageError for a night within the hours, which can't be said.
    """
    if not schedule:
        return 0, DAY
    begin, end = (_minute(part) for part in schedule.split("-"))
    if begin >= end:
        raise UsageError(f"setting schedule: {schedule} must begin before it ends")
    return begin, end


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def share(schedule: str) -> float:
    """The part of the time in which the VM runs, 0 to 1."""
    begin, end = span(schedule)
    return (end - begin) / DAY


def ticks(folder: Path = ROOT / "flows") -> Iterator[Tick]:
    """Every Schedule trigger of the flows that is missed for good when the server is away.

    Raises UsageError for a cron that is no daily time.
    """
    for path in sorted(folder.glob("*.yaml")):
        flow = yaml.safe_load(path.read_text(encoding="utf-8"))
        for trigger in flow.get("triggers") or []:
            ticking = trigger["type"].endswith(".Schedule") and not trigger.get("disabled")
            if ticking and trigger.get("recoverMissedSchedules") != "LAST":
                match = _TIMES.fullmatch(trigger["cron"])
                if match is None or trigger.get("timezone") != "UTC":
                    raise UsageError(
                        f"setting schedule: {path.name}: trigger {trigger['id']} has no one time "
                        f"of the day in UTC ({trigger['cron']}), so its ticks could be missed",
                        hint="leave the setting empty",
                    )
                minute = int(match[2]) * 60 + int(match[1])
                yield Tick(flow["id"], trigger["id"], minute)


def check(schedule: str) -> None:
    """Raises UsageError when a tick comes while the VM is stopped, boots, or is about to stop."""
    begin, end = span(schedule)
    if not schedule:
        return
    missed = [tick for tick in ticks() if not begin + _BOOT <= tick.minute <= end - ROOM]
    if missed:
        raise UsageError(
            f"setting schedule: {schedule} misses " + ", ".join(map(str, missed)),
            hint=f"begin {_BOOT} minutes before the first tick and end {ROOM} after the last, or "
            "leave it empty",
        )
