"""A verification for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from taxi_etl.compare import amount
from taxistack.backfill.grid import LOOK
from taxistack.backfill.state import State
from taxistack.sources import SAMPLES_IN_WORDS
from taxistack.verify.verification import CellCheck, Verification


def verification_table(verification: Verification) -> RenderableType:
    """A line for each cell that is published; below it every difference by name."""
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for name in ("month", "taxi", "destination"):
        table.add_column(name)
    for name in ("rows", "source rows", "total_amount", "strays"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    shown = [check for check in verification.checks if not _nothing(check)]
    for check in sorted(shown, key=lambda check: (check.cell.month, check.cell)):
        table.add_row(*_row(check))
    source = SAMPLES_IN_WORDS if verification.samples else verification.source
    title = Text(f"Months compared with {source}", style="italic")
    return Group(title, table, *_differences(verification.wrong))


def _nothing(check: CellCheck) -> bool:
    return check.state is State.NOT_PUBLISHED and not check.differences


def _row(check: CellCheck) -> Iterable[Text]:
    table, load = check.known.table, check.known.state.load
    return (
        Text(str(check.cell.month)),
        Text(check.cell.taxi),
        Text(check.cell.destination),
        Text(f"{table.rows:,}" if table else "0"),
        Text(f"{load.rows:,}" if load else ""),
        Text(amount(table.total_amount) if table and check.cell.series.measure else ""),
        Text(f"{table.strays:,}" if table else ""),
        _verdict(check),
    )


def _verdict(check: CellCheck) -> Text:
    """`equal`; else what is wrong, and the state of a month that is not simply loaded."""
    if check.proven:
        return Text("equal", style="green")
    if check.state is not State.LOADED:
        return Text(*LOOK[check.state])
    return Text("differs" if check.mendable else "not proven", style="bold red")


def _differences(wrong: Iterable[CellCheck]) -> list[Text]:
    lines = [
        Text(f"{check.cell}: {difference}") for check in wrong for difference in check.differences
    ]
    return [Text(""), *lines] if lines else []
