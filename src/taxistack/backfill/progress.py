"""Live progress of a backfill: redrawn in place on a terminal, plain lines elsewhere (stderr)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from taxistack.backfill.state import Cell
from taxistack.console import Console

# Without a terminal: often enough to see that it lives, seldom enough to read a CI log.
LINE_EVERY_S = 20.0


@dataclass(frozen=True)
class Tally:
    """A moment of a backfill. Times are in seconds.

    `rows`: loaded within `elapsed`. `left`: None when nothing tells it.
    """

    total: int
    done: int
    failed: int
    rows: int
    elapsed: float
    left: float | None
    running: Sequence[Cell]

    def line(self) -> str:
        """The figures in one line."""
        parts = [f"{self.done} of {self.total} done"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.rows and self.elapsed > 0:
            parts.append(f"{self.rows / self.elapsed:,.0f} rows/s")
        if self.left is not None and self.done < self.total:
            parts.append(f"about {duration(self.left)} left")
        return ", ".join(parts)

    def now(self) -> str:
        """What runs now, in one line."""
        if not self.running:
            return ""
        shown = ", ".join(
            f"{cell.taxi} {cell.month} → {cell.destination}" for cell in list(self.running)[:4]
        )
        more = len(self.running) - 4
        return f"now: {shown}" + (f" and {more} more" if more > 0 else "")


def duration(seconds: float) -> str:
    """Seconds as a person says them: `48 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(whole / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


class View:
    """Shows tallies and tells events; a context manager."""

    def __init__(self, console: Console) -> None:
        """`console.live` chooses between redrawing and lines."""
        self._console = console
        self._bar = Progress(
            TextColumn("backfill"), BarColumn(), MofNCompleteColumn(), console=console.err
        )
        self._task = self._bar.add_task("backfill", total=None)
        self._live: Live | None = None
        self._last = ("", 0.0)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.live:
            self._live = Live(
                self._bar, console=self._console.err, transient=True, refresh_per_second=4
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the live view away."""
        self.pause()

    def pause(self) -> None:
        """Take the live view away, so that a question can be asked."""
        if self._live:
            self._live.stop()
            self._live = None

    def event(self, text: str) -> None:
        """Tell one thing that happened."""
        self._console.say(text)

    def show(self, tally: Tally) -> None:
        """Show the figures; lines only when they changed and not too often."""
        if self._live:
            self._bar.update(self._task, total=tally.total, completed=tally.done)
            self._live.update(Group(self._bar, Text(tally.line()), Text(tally.now(), style="dim")))
            return
        text, shown = self._last
        line = "; ".join(part for part in (tally.line(), tally.now()) if part)
        if line != text and time.monotonic() - shown >= LINE_EVERY_S:
            self._last = (line, time.monotonic())
            self._console.say(line)
