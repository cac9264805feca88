"""What a backfill came to: in one line, as JSON, and as an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from taxistack.backfill.progress import duration
from taxistack.backfill.state import Cell
from taxistack.console import counted


class Outcome(StrEnum):
    """How a backfill command ended."""

    NOTHING_TO_DO = "nothing to do"
    DONE = "done"
    FAILED = "failed"
    LEFT_RUNNING = "left running"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Failure:
    """A month that failed, and why."""

    cell: Cell
    execution_id: str
    reason: str

    def __str__(self) -> str:
        """The failure in one line, with the command that shows its log."""
        return f"{self.cell} failed: {self.reason} (invoke logs --execution {self.execution_id})"


@dataclass(frozen=True)
class Result:
    """What a backfill came to. `rows`: of the months that it loaded."""

    outcome: Outcome
    backfills: tuple[str, ...] = ()
    loaded: tuple[Cell, ...] = ()
    not_published: tuple[Cell, ...] = ()
    failures: tuple[Failure, ...] = ()
    left: tuple[Cell, ...] = ()
    rows: int = 0
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    chosen: bool = False
    """Whether somebody who was asked chose this outcome."""

    @property
    def exit_code(self) -> int:
        """0 when everything that was asked for is done, or left running by choice; else 1."""
        done = self.outcome in (Outcome.DONE, Outcome.NOTHING_TO_DO)
        done = done or (self.outcome is Outcome.LEFT_RUNNING and self.chosen)
        return 0 if done and not self.problems else 1

    @property
    def summary(self) -> str:
        """The result in one line."""
        if self.outcome is Outcome.NOTHING_TO_DO:
            return "backfill: " + "; ".join(("nothing to do", *self.problems))
        parts = [f"{counted(len(self.loaded), 'month')} loaded, {counted(self.rows, 'row')}"]
        if self.not_published:
            parts.append(f"{len(self.not_published)} not published")
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        if self.left:
            parts.append(f"{len(self.left)} not done")
        parts += self.problems
        names = ", ".join(self.backfills)
        return f"backfill {names} {self.outcome} in {duration(self.seconds)}: " + "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-able data."""
        return {
            "outcome": str(self.outcome),
            "backfills": list(self.backfills),
            "loaded": [_cell_json(cell) for cell in self.loaded],
            "not_published": [_cell_json(cell) for cell in self.not_published],
            "failed": [
                {
                    **_cell_json(failure.cell),
                    "execution": failure.execution_id,
                    "reason": failure.reason,
                }
                for failure in self.failures
            ],
            "not_done": [_cell_json(cell) for cell in self.left],
            "rows": self.rows,
            "seconds": round(self.seconds, 1),
            "problems": list(self.problems),
        }


def _cell_json(cell: Cell) -> dict[str, str]:
    return {"taxi": cell.taxi, "month": str(cell.month), "destination": cell.destination}
