"""The figures of the report, taken from a verification. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from taxi_etl import destinations, schema
from taxi_etl.compare import TableMonth
from taxi_etl.month import Month
from taxistack.backfill.state import Cell, State
from taxistack.backfill.survey import is_public
from taxistack.published_counts import PUBLISHED_COUNTS
from taxistack.verify import CellCheck, Verification


@dataclass(frozen=True)
class Mark:
    """How one cell of the grid looks: a sign, a style, and the same in words."""

    sign: str
    style: str
    words: str


MARKS: Mapping[str, Mark] = {
    "proven": Mark("✓", "proven", "loaded, equal to its source"),
    "differs": Mark("≠", "differs", "loaded, differs"),
    "unproven": Mark("?", "unproven", "loaded, not comparable with its source"),
    State.MISSING: Mark("○", "missing", "missing"),
    State.FAILED: Mark("✕", "failed", "failed"),
    State.STALE: Mark("↻", "stale", "stale: the source has changed"),
    State.LOADING: Mark("…", "loading", "loading"),
    State.NOT_PUBLISHED: Mark("·", "absent", "not published"),
}


@dataclass(frozen=True)
class MonthFigures:
    """One month of one taxi, from a destination where it is proven if there is one.

    Revenue in dollars.
    """

    taxi: str
    month: Month
    table: TableMonth
    published: int | None
    duplicates: int | None

    @property
    def revenue(self) -> Decimal | None:
        """The sum of what the series measures, None where it measures nothing."""
        return self.table.total_amount if schema.TAXIS[self.taxi].measure else None

    def share(self, count: int) -> str:
        """A count as a share of the month's rows: `44.7 %`."""
        return f"{100 * count / self.table.rows:.1f} %" if self.table.rows else ""


@dataclass(frozen=True)
class LoadTime:
    """How long one month's last load took in one destination."""

    cell: Cell
    seconds: float
    rows: int


@dataclass(frozen=True)
class GridRow:
    """One year of one taxi in one destination: twelve marks, None outside the range."""

    year: int
    marks: tuple[tuple[Month, Mark] | None, ...]


@dataclass(frozen=True)
class Grid:
    """The months of one taxi in one destination, a row a year."""

    taxi: str
    destination: str
    rows: tuple[GridRow, ...]

    @property
    def place(self) -> str:
        """The destination's name for people."""
        return destinations.get(self.destination).title


@dataclass(frozen=True)
class Figures:
    """Everything that the page shows."""

    verification: Verification
    public: bool
    grids: tuple[Grid, ...]
    months: tuple[MonthFigures, ...]
    loads: tuple[LoadTime, ...]

    @property
    def trips(self) -> int:
        """Trips of all months, each month counted once."""
        return sum(month.table.rows for month in self.months)

    @property
    def revenue(self) -> Decimal | None:
        """The revenue of all months, each month counted once; None where none has any."""
        known = [month.revenue for month in self.months if month.revenue is not None]
        return sum(known, Decimal(0)) if known or not self.months else None

    @property
    def taxis(self) -> tuple[str, ...]:
        """The taxis that have a month to show."""
        return tuple(sorted({month.taxi for month in self.months}))

    @property
    def measured(self) -> tuple[str, ...]:
        """The taxis of these that have revenue."""
        return tuple(taxi for taxi in self.taxis if schema.TAXIS[taxi].measure)

    @property
    def blocks(self) -> str:
        """What is empty in a null block, by taxi, in words."""
        return "; ".join(f"{taxi}: {' and '.join(schema.TAXIS[taxi].block)}" for taxi in self.taxis)

    @property
    def compared(self) -> tuple[MonthFigures, ...]:
        """The months whose published count is known, when that release is the source."""
        return tuple(month for month in self.months if self.public and month.published is not None)

    def of(self, taxi: str) -> tuple[MonthFigures, ...]:
        """The months of one taxi."""
        return tuple(month for month in self.months if month.taxi == taxi)

    def used_marks(self) -> list[Mark]:
        """The marks that the grids show, for their legend."""
        used = {slot[1] for grid in self.grids for row in grid.rows for slot in row.marks if slot}
        return [mark for mark in MARKS.values() if mark in used]

    @property
    def places(self) -> dict[str, str]:
        """The destinations that have a load, with their names for people."""
        names = sorted({load.cell.destination for load in self.loads})
        return {name: destinations.get(name).title for name in names}

    def load_summary(self) -> list[tuple[str, int, str, str, str]]:
        """By destination: loads, median seconds, longest seconds, rows a second."""
        lines = []
        for destination in sorted({load.cell.destination for load in self.loads}):
            loads = [load for load in self.loads if load.cell.destination == destination]
            seconds = [load.seconds for load in loads]
            speed = sum(load.rows for load in loads) / max(sum(seconds), 0.001)
            lines.append(
                (
                    destination,
                    len(loads),
                    f"{statistics.median(seconds):.1f}",
                    f"{max(seconds):.1f}",
                    f"{speed:,.0f}",
                )
            )
        return lines


def figures_of(verification: Verification) -> Figures:
    """Take the page's figures from a verification."""
    checks = {check.cell: check for check in verification.checks}
    return Figures(
        verification=verification,
        public=is_public(verification.source),
        grids=tuple(
            _grid(taxi, destination, checks)
            for taxi in verification.request.taxis
            for destination in verification.request.destinations
        ),
        months=tuple(_months(verification, checks)),
        loads=tuple(
            LoadTime(check.cell, load.seconds, load.rows)
            for check in verification.checks
            if (load := check.known.state.load) is not None
        ),
    )


def mark_of(check: CellCheck) -> Mark:
    """The mark of one cell."""
    if check.state is State.LOADED:
        if check.proven:
            return MARKS["proven"]
        return MARKS["differs" if check.mendable else "unproven"]
    return MARKS[check.state]


def _grid(taxi: str, destination: str, checks: Mapping[Cell, CellCheck]) -> Grid:
    own = {
        cell.month: check
        for cell, check in checks.items()
        if (cell.taxi, cell.destination) == (taxi, destination)
    }
    years = sorted({month.year for month in own})
    return Grid(taxi, destination, tuple(GridRow(year, _year(year, own)) for year in years))


def _year(year: int, own: Mapping[Month, CellCheck]) -> tuple[tuple[Month, Mark] | None, ...]:
    months = [Month(year, number) for number in range(1, 13)]
    return tuple((month, mark_of(own[month])) if month in own else None for month in months)


def _months(verification: Verification, checks: Mapping[Cell, CellCheck]) -> list[MonthFigures]:
    months = []
    for taxi, month in sorted({(cell.taxi, cell.month) for cell in checks}):
        own = [
            checks[Cell(taxi, month, destination)]
            for destination in verification.request.destinations
        ]
        own.sort(key=lambda check: not check.proven)
        tables = [table for check in own if (table := check.known.table) is not None]
        if not tables:
            continue
        counted = [table.duplicates for table in tables if table.duplicates is not None]
        months.append(
            MonthFigures(
                taxi=taxi,
                month=month,
                table=tables[0],
                published=PUBLISHED_COUNTS.get(taxi, {}).get(str(month)),
                duplicates=counted[0] if counted else None,
            )
        )
    return months
