"""What has to be equal about a month, and how a difference is named. Pure.

The comparison is `taxi_etl.compare`'s; here is what only the operator's side knows: the states.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from taxi_etl.compare import Difference, Evidence, TableMonth, compare
from taxi_etl.lake import LakeObject
from taxistack.backfill.state import CellState, State


@dataclass(frozen=True)
class Known:
    """All that was read of one cell."""

    state: CellState
    table: TableMonth | None
    lake: LakeObject | None
    published_rows: int | None = None

    @property
    def evidence(self) -> Evidence:
        """The same as `compare` takes it."""
        source = self.state.source
        return Evidence(
            ledger=self.state.load,
            table=self.table,
            lake=self.lake,
            source=source.remote if source else None,
            source_url=source.url if source else None,
            source_problem=source.problem if source else None,
            published_rows=self.published_rows,
        )


def differences(known: Known) -> list[Difference]:
    """What is wrong with one cell, taken by itself."""
    of_state = list(_of_state(known.state))
    if known.state.state is State.LOADING:
        return of_state
    if known.state.load is None and known.table is None:
        return of_state
    return [*of_state, *compare(known.evidence)]


def _of_state(known: CellState) -> Iterable[Difference]:
    reason = f": {known.reason}" if known.reason else ""
    if known.state is State.MISSING:
        yield Difference("state", f"not loaded{reason}")
    elif known.state is State.LOADING:
        yield Difference("state", f"is being loaded, not compared{reason}")
    elif known.state is State.FAILED:
        yield Difference("state", f"the last load failed{reason}")
