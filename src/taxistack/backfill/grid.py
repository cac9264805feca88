"""The grid of months and states, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from taxistack.backfill.planner import Only, Plan
from taxistack.backfill.progress import duration
from taxistack.backfill.state import Cell, CellState, State
from taxistack.console import counted

# A word and not only a colour: the grid is read without colour too.
LOOK: Mapping[State, tuple[str, str]] = {
    State.NOT_PUBLISHED: ("not published", "dim"),
    State.MISSING: ("missing", "yellow"),
    State.LOADING: ("loading", "cyan"),
    State.LOADED: ("loaded", "green"),
    State.FAILED: ("failed", "bold red"),
    State.STALE: ("stale", "magenta"),
}
MAX_REASONS = 12


def grid_table(plan: Plan, source: str) -> RenderableType:
    """The plan for people: a line a month, a column a taxi and destination; `▸` = will run.

    `source`: where the months come from, as a person would name it.
    """
    columns = [
        (taxi, destination)
        for taxi in plan.request.taxis
        for destination in plan.request.destinations
    ]
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("month")
    for taxi, destination in columns:
        table.add_column(f"{taxi} → {destination}")
    steps = set(plan.steps)
    months = sorted({cell.month for cell in plan.states})
    for month in months:
        table.add_row(
            str(month),
            *(
                _word(plan.states[Cell(taxi, month, destination)], steps)
                for taxi, destination in columns
            ),
        )
    reasons = _reasons(plan)
    # A title of the table would be folded to its width.
    title = Text(f"Months from {source}", style="italic")
    return Group(title, table, *([Text("")] if reasons else []), *reasons)


def _word(known: CellState, steps: set[Cell]) -> Text:
    word, style = LOOK[known.state]
    mark = "▸ " if known.cell in steps else "  "
    return Text(mark + word, style=style)


def _reasons(plan: Plan) -> list[Text]:
    telling = [
        known
        for _, known in sorted(plan.states.items())
        if known.reason
        and known.state is not State.NOT_PUBLISHED
        and not (known.source is not None and known.reason == known.source.problem)
    ]
    lines = [Text(line(known)) for known in telling[:MAX_REASONS]]
    if len(telling) > MAX_REASONS:
        lines.append(Text(f"… and {len(telling) - MAX_REASONS} more (--json lists them all)"))
    return lines


def line(known: CellState) -> str:
    """One cell, its state and the reason, in one line."""
    attempt = f" (attempt {known.attempt})" if known.state is State.FAILED and known.attempt else ""
    return f"{known.cell}: {known.state}{attempt}" + (f", {known.reason}" if known.reason else "")


def outlook(plan: Plan) -> str:
    """What the plan will do, in one line."""
    expected = plan.expected
    if not plan.steps:
        said = f"Nothing new to run: {counts(plan)}."
        again = plan.count(State.FAILED) + plan.count(State.STALE)
        if again and not plan.in_hand and Only.FAILED not in plan.request.only:
            said += f" --only failed loads {again} again."
    else:
        months = counted(len(plan.steps), "month")
        parts = [f"{months} to load in {counted(expected.executions, 'execution')}"]
        if expected.bytes_known_of:
            of = _of(expected.bytes_known_of, len(plan.steps))
            parts.append(f"{size(expected.bytes)} to read{of}")
        if expected.rows_known_of:
            parts.append(f"{expected.rows:,} rows{_of(expected.rows_known_of, len(plan.steps))}")
        if expected.seconds is not None:
            parts.append(f"about {duration(expected.seconds)}")
        said = ", ".join(parts) + f" ({counts(plan)})."
    if plan.in_hand:
        names = ", ".join(live.backfill for live in plan.attached)
        said += f" {len(plan.in_hand)} are in hand of backfill {names}."
    return " ".join((said, *plan.problems, *plan.warnings))


def counts(plan: Plan) -> str:
    """How many cells are in each state, in one line."""
    return ", ".join(f"{plan.count(state)} {state}" for state in State if plan.count(state))


def _of(known: int, total: int) -> str:
    return "" if known == total else f" (known of {known})"


def size(count: int) -> str:
    """Bytes in binary units: `211 KiB`, `8.2 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if value >= 100 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
