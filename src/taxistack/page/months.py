"""Months: the grid of `backfill --dry-run`, and loading what is chosen as `backfill` does."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console as RichConsole

from taxi_etl.errors import EtlError
from taxi_etl.month import Month
from taxistack.backfill import Cell, Only, Plan, Request, plan_backfill, run_backfill
from taxistack.backfill.grid import counts, outlook
from taxistack.backfill.state import DESTINATIONS, TAXIS
from taxistack.backfill.turns import turn
from taxistack.console import Console
from taxistack.errors import UsageError
from taxistack.targets import Target

MOST_MONTHS = 240
KEPT = 5
"""Loads of which the page still tells; the executions of all are in Kestra."""
_WIDTH = 400  # columns: a line of what a load says stays whole


@dataclass
class Load:
    """One load that was started here, watched to its end by a thread of this process."""

    number: int
    cells: int
    said: io.StringIO = field(default_factory=io.StringIO)
    summary: str | None = None
    failed: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the page tells of it."""
        return {
            "number": self.number,
            "cells": self.cells,
            "lines": self.said.getvalue().splitlines()[-50:],
            "summary": self.summary,
            "failed": self.failed,
        }


class Loads:
    """The loads that were started on this page. Kestra goes on with them when the page ends."""

    def __init__(self, target: Target) -> None:
        """`target`: the stack."""
        self._target = target
        self._lock = threading.Lock()
        self._all: list[Load] = []
        self._started = 0

    def to_json(self) -> list[dict[str, Any]]:
        """The last ones, newest first."""
        with self._lock:
            return [job.to_json() for job in reversed(self._all)]

    def start(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Load `cells` (`taxi`, `month`, `destination`), and no others, whatever their state.

        Raises UsageError for a cell that is none and for no cell at all.
        """
        cells = _cells(body.get("cells"))
        request = Request(
            start=min(cell.month for cell in cells),
            end=max(cell.month for cell in cells),
            taxis=tuple(taxi for taxi in TAXIS if any(cell.taxi == taxi for cell in cells)),
            destinations=tuple(
                destination
                for destination in DESTINATIONS
                if any(cell.destination == destination for cell in cells)
            ),
            only=frozenset({Only.ALL}),
            parallel=self._target.settings.parallel,
            cells=frozenset(cells),
        )
        with self._lock:
            self._started += 1
            load = Load(self._started, len(cells))
            self._all = [*self._all, load][-KEPT:]
        work = threading.Thread(target=self._run, args=(load, request), daemon=True)
        work.start()
        return load.to_json()

    def _run(self, load: Load, request: Request) -> None:
        console = _console(load.said)
        try:
            wanted = sorted({(cell.taxi, cell.month) for cell in request.cells or ()})
            self._target.publish_samples(wanted, console.say)
            with turn(self._target.state_dir, console.say) as begun:
                plan = plan_backfill(self._target, request)
                console.say(outlook(plan))
                result = run_backfill(self._target, plan, console, begun=begun)
            for failure in result.failures:
                console.failure(str(failure))
            load.failed, load.summary = bool(result.exit_code), result.summary
        except Exception as error:  # nobody else would hear of it
            load.failed, load.summary = True, f"the load stopped: {error}"


def _console(said: io.StringIO) -> Console:
    silent = RichConsole(file=io.StringIO(), width=_WIDTH)
    return Console(out=silent, err=RichConsole(file=said, width=_WIDTH, highlight=False))


def _cells(raw: Any) -> list[Cell]:
    cells = []
    for item in raw if isinstance(raw, list) else ():
        try:
            cell = Cell(
                str(item["taxi"]), Month.parse(str(item["month"])), str(item["destination"])
            )
        except (KeyError, TypeError, EtlError) as error:
            raise UsageError(f"{item} is no month of a taxi in a destination") from error
        if cell.taxi not in TAXIS or cell.destination not in DESTINATIONS:
            raise UsageError(f"{cell}: there is no such taxi or destination")
        cells.append(cell)
    if not cells:
        raise UsageError("no month is chosen")
    return cells


def grid(target: Target, query: Mapping[str, str]) -> dict[str, Any]:
    """The months from `start` to `end` by taxi and destination, each with its state.

    `taxi`: several with commas, or `all`. Raises UsageError for a range that is none.
    """
    request = Request.parse(
        query.get("start") or "",
        query.get("end") or "",
        taxi=query.get("taxi") or "",
        only="missing,failed",
        parallel=target.settings.parallel,
    )
    if len(list(Month.range(request.start, request.end))) > MOST_MONTHS:
        raise UsageError(f"that are more than {MOST_MONTHS} months: choose fewer")
    plan = plan_backfill(target, request, note=False)
    return {
        "source": target.source_words,
        "counts": counts(plan),
        "outlook": outlook(replace(plan, problems=())),
        "problems": [*plan.problems, *plan.warnings],
        "columns": [
            {"taxi": taxi, "destination": destination}
            for taxi in request.taxis
            for destination in request.destinations
        ],
        "rows": _rows(plan),
    }


def _rows(plan: Plan) -> list[dict[str, Any]]:
    columns = [
        (taxi, destination)
        for taxi in plan.request.taxis
        for destination in plan.request.destinations
    ]
    return [
        {
            "month": str(month),
            "cells": [_cell(plan, Cell(taxi, month, destination)) for taxi, destination in columns],
        }
        for month in Month.range(plan.request.start, plan.request.end)
    ]


def _cell(plan: Plan, cell: Cell) -> dict[str, Any]:
    known = plan.states[cell]
    execution = known.run.id if known.run else None
    return {
        "state": str(known.state),
        "reason": known.reason,
        "execution": execution or (known.load.execution_id if known.load else None),
        "rows": known.load.rows if known.load else None,
        "wanted": cell in set(plan.steps),
    }
