"""What a backfill makes BigQuery bill.

Load jobs are free. Billed is the script that replaces a month: its DELETE reads what the month's
partition holds, and its INSERT the staged text. The DELETE's bytes are BigQuery's own: a dry run of
the same statement, one for each taxi. The staging tables do not exist yet, so the text's bytes are
reckoned: the file's, unzipped, and 2 for each field (BigQuery's own count of a STRING).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taxi_etl import schema
from taxi_etl.destinations.bigquery_sql import date_literal
from taxistack.backfill import Plan
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.grid import size
from taxistack.backfill.state import Cell
from taxistack.costs.prices import AS_OF, PRICES
from taxistack.errors import FailedError, UsageError

MINIMUM = 10 * 2**20  # bytes that a statement is billed for at least, for each table
UNZIPPED = 8.0  # how many times larger a month file is unzipped, while the ledger tells no better
FIELD = 2  # bytes of a STRING beside its text
_ROW = 90.0  # bytes of a row of a month file, where the row count is not known
TIB = 2**40


@dataclass(frozen=True)
class Bill:
    """Bytes that BigQuery reads and bills, and what that costs. `months`: loads into BigQuery."""

    months: int
    unknown: int
    """Loads whose file's size nobody tells: not in the sum."""
    present: int
    staged: int
    billed: int

    @property
    def usd(self) -> float:
        """At the list price, the free first TiB of a month not counted."""
        return self.billed / TIB * PRICES["query"].usd

    @property
    def line(self) -> str:
        """For people."""
        but = f", {self.unknown} of unknown size not counted" if self.unknown else ""
        return (
            f"BigQuery: {self.months} loads read {size(self.present)} that are there (its own dry "
            f"run) and about {size(self.staged)} of text, billed {size(self.billed)}: about "
            f"{self.usd:.2f} USD{but} (list price of {AS_OF}; the first TiB of a month is free)."
        )

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**vars(self), "usd": round(self.usd, 4)}


def limit(text: str) -> float | None:
    """Read `--max-cost`; None: not given. Raises UsageError."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise UsageError(f"--max-cost {text}: must be an amount of USD, such as 1.50")
    return value


def bill(context: BackfillContext, plan: Plan, most: float | None) -> Bill | None:
    """The bill of a plan; None where nothing is billed.

    `most`: USD. Raises FailedError when the bill is above it, or when a size is unknown while
    there is a limit: what can't be reckoned can't be held to one.
    """
    if context.maximum_bytes_billed is None:
        return None
    cells = [cell for cell in plan.steps if cell.destination == "bigquery"]
    cost = _reckoned(cells, _present(context, cells), plan)
    if most is not None and (cost.usd > most or cost.unknown):
        why = f"{cost.unknown} files tell no size" if cost.unknown else f"{cost.usd:.2f} USD"
        raise FailedError(
            f"--max-cost {most:.2f}: the loads into BigQuery would cost more: {why}; nothing was "
            "started",
            hint="load fewer months at once, or raise the limit",
        )
    return cost


def _present(context: BackfillContext, cells: Sequence[Cell]) -> dict[str, int]:
    """Bytes that the DELETEs of each taxi read, by BigQuery's dry run."""
    # Here, because every command that shows a cost loads this module and few ask BigQuery.
    from google.cloud import bigquery
    from google.cloud.exceptions import NotFound

    outputs, present = context.outputs, {}
    config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
    for taxi in sorted({cell.taxi for cell in cells}):
        months = ", ".join(date_literal(cell.month) for cell in cells if cell.taxi == taxi)
        name = f"`{outputs.project}.{outputs.dataset}.{schema.TAXIS[taxi].table}`"
        statement = f"DELETE FROM {name} WHERE source_month IN ({months})"  # noqa: S608
        try:
            job = context.bigquery().query(statement, job_config=config)
            present[taxi] = int(job.total_bytes_processed or 0)
        except NotFound:  # no table before its first load
            present[taxi] = 0
    return present


def _reckoned(cells: Sequence[Cell], present: Mapping[str, int], plan: Plan) -> Bill:
    ratio = _unzipped(plan)
    staged = unknown = billed = 0
    for cell in cells:
        text = _text(cell, plan, ratio)
        if text is None:
            unknown += 1
            continue
        staged += text
        billed += max(text, MINIMUM)
    for taxi, bytes_ in present.items():
        of_taxi = sum(1 for cell in cells if cell.taxi == taxi)
        billed += max(bytes_, MINIMUM * of_taxi)
    return Bill(len(cells), unknown, sum(present.values()), staged, billed)


def _text(cell: Cell, plan: Plan, ratio: float) -> int | None:
    state = plan.states[cell]
    zipped = state.source.length if state.source and state.source.length is not None else None
    if zipped is None and state.load is not None:
        zipped = state.load.source_bytes
    if zipped is None:
        return None
    unzipped = zipped * ratio
    rows = state.load.rows if state.load is not None else unzipped / _ROW
    return round(unzipped + rows * FIELD * len(schema.TAXIS[cell.taxi].columns))


def _unzipped(plan: Plan) -> float:
    """How much larger the files are unzipped, by what was loaded of this range."""
    loads = [known.load for known in plan.states.values() if known.load and known.load.source_bytes]
    ratios = [load.csv_bytes / load.source_bytes for load in loads]
    return statistics.median(ratios) if ratios else UNZIPPED
