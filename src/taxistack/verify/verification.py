"""Proves every month equal to its source, or names what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from taxi_etl.compare import Difference, TableMonth, amount, between
from taxi_etl.lake import LakeObject
from taxi_etl.month import Month
from taxi_etl.release import object_name, shown
from taxistack.backfill import ledger
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.planner import Only, Request
from taxistack.backfill.result import Result
from taxistack.backfill.runner import run_backfill
from taxistack.backfill.state import COURSE, DESTINATIONS, TAXIS, Cell, State
from taxistack.backfill.survey import Survey, is_public, plan_backfill, survey
from taxistack.console import Console, counted
from taxistack.errors import FailedError
from taxistack.published_counts import PUBLISHED_COUNTS
from taxistack.verify import lake, tables
from taxistack.verify.compare import Known, differences

# A month that is loading will be right or wrong when it is done; one that is not published has
# nothing to be loaded from.
NOT_MENDED = frozenset({State.LOADING, State.NOT_PUBLISHED})


class Obstacle(StrEnum):
    """Why loading again can't mend a month. The words follow "while the source" in a message."""

    GONE = "does not have these files"
    SILENT = "can't be asked for these files"
    REFUSED = "has the files that were refused"


@dataclass(frozen=True)
class VerifyRequest:
    """Which months to prove. `start` and `end` None: from the first to the last loaded one.

    `taxis` empty: the series that are loaded there; in a range that was named, the course's too.
    """

    start: Month | None = None
    end: Month | None = None
    taxis: tuple[str, ...] = ()
    destinations: tuple[str, ...] = DESTINATIONS
    duplicates: bool = False
    """Also count identical rows (for the report); reads every column of the tables."""

    @classmethod
    def parse(
        cls,
        start: str | None = None,
        end: str | None = None,
        *,
        taxi: str = "",
        destination: str = "all",
        duplicates: bool = False,
    ) -> VerifyRequest:
        """Read the flags of a command. Raises UsageError with the flag and its rule."""
        open_ended = not start and not end
        checked = Request.parse(
            start or ("2000-01" if open_ended else ""),
            end or ("2000-01" if open_ended else ""),
            taxi=taxi,
            destination=destination,
        )
        return cls(
            start=None if open_ended else checked.start,
            end=None if open_ended else checked.end,
            taxis=checked.taxis if taxi else (),
            destinations=checked.destinations,
            duplicates=duplicates,
        )


@dataclass(frozen=True)
class CellCheck:
    """One cell after its checks."""

    known: Known
    differences: tuple[Difference, ...]

    @property
    def cell(self) -> Cell:
        """Which month of which taxi where."""
        return self.known.state.cell

    @property
    def state(self) -> State:
        """The state of the cell's grid."""
        return self.known.state.state

    @property
    def proven(self) -> bool:
        """Loaded, and equal to its source in every check."""
        return self.state is State.LOADED and not self.differences

    @property
    def mendable(self) -> bool:
        """Whether it differs in something that loading it again can mend."""
        return self._damaged and self.obstacle is None and self.state not in NOT_MENDED

    @property
    def _damaged(self) -> bool:
        return any(difference.mendable for difference in self.differences)

    @property
    def obstacle(self) -> Obstacle | None:
        """Why a load would not come to its end; None when nothing is known to stop it."""
        source = self.known.state.source
        if source is not None and source.published is False:
            return Obstacle.GONE
        if source is not None and source.published is None:
            return Obstacle.SILENT
        return Obstacle.REFUSED if self.known.state.refused else None

    @property
    def missing(self) -> bool:
        """Whether there is nothing of it yet: neither a row nor a finished load."""
        return self.state is State.MISSING and self.known.table is None

    @property
    def orphaned(self) -> bool:
        """Loaded and as it was loaded, but the source does not have its file."""
        gone = self.obstacle is Obstacle.GONE
        return self.state is State.LOADED and gone and not self._damaged

    def to_json(self) -> dict[str, Any]:
        """The cell as JSON-able data; amounts are text, exact, None where a series has none."""
        table, load, state = self.known.table, self.known.state.load, self.known.state
        measured = self.cell.series.measure is not None
        return {
            "taxi": self.cell.taxi,
            "month": str(self.cell.month),
            "destination": self.cell.destination,
            "state": str(self.state),
            "rows": table.rows if table else 0,
            "source_rows": load.rows if load else None,
            "total_amount": amount(table.total_amount) if table and measured else None,
            "differences": [str(difference) for difference in self.differences],
            "mendable": self.mendable,
            "reason": state.reason,
            "unique_row_ids": table.distinct_ids if table else None,
            "fingerprint": str(table.fingerprint) if table else None,
            "null_pickups": table.null_pickups if table else None,
            "strays": table.strays if table else None,
            "source_url": state.source.url if state.source else None,
            "source_bytes": load.source_bytes if load else None,
            "sha256": load.sha256 if load else None,
            "execution": load.execution_id if load else None,
            "loaded_at": load.loaded_at.isoformat() if load else None,
        }


@dataclass(frozen=True)
class Verification:
    """The result of verify: every asked cell, checked."""

    request: VerifyRequest
    source: str
    checks: tuple[CellCheck, ...]
    at: datetime
    seconds: float
    samples: bool = False
    """Whether the source is generated sample months."""

    @property
    def wrong(self) -> tuple[CellCheck, ...]:
        """The cells with a difference."""
        return tuple(check for check in self.checks if check.differences)

    @property
    def mendable(self) -> tuple[CellCheck, ...]:
        """The cells that `repair_months` loads again."""
        return tuple(check for check in self.checks if check.mendable)

    @property
    def loading(self) -> tuple[CellCheck, ...]:
        """The cells that are being loaded: `repair_months` waits for them."""
        return tuple(check for check in self.checks if check.state is State.LOADING)

    @property
    def orphaned(self) -> tuple[CellCheck, ...]:
        """The cells that are as they were loaded, from files that the source does not have."""
        return tuple(check for check in self.checks if check.orphaned)

    @property
    def hopeless(self) -> tuple[CellCheck, ...]:
        """The other cells with a difference: loading them again would not help."""
        counted = {*self.mendable, *self.loading, *self.orphaned}
        return tuple(check for check in self.wrong if check not in counted)

    @property
    def proven(self) -> tuple[CellCheck, ...]:
        """The cells that are loaded and equal to their source."""
        return tuple(check for check in self.checks if check.proven)

    @property
    def exit_code(self) -> int:
        """0 when no cell differs and at least one is proven, else 1."""
        return 0 if self.proven and not self.wrong else 1

    @property
    def rows(self) -> int:
        """Rows of the proven loads: a trip counts in each destination that has it."""
        return sum(check.known.table.rows for check in self.proven if check.known.table)

    @property
    def summary(self) -> str:
        """The result in one line."""
        months = counted(len(self.proven), "month")
        parts = [f"{months} proven equal to the source ({counted(self.rows, 'row')})"]
        missing = sum(1 for check in self.mendable if check.missing)
        if differ := len(self.mendable) - missing:
            parts.append(f"{differ} differ (--repair reloads them)")
        if missing:
            parts.append(f"{missing} not loaded (--repair loads them)")
        if loading := len(self.loading):
            parts.append(f"{loading} being loaded (--repair waits for them)")
        if orphaned := len(self.orphaned):
            parts.append(
                f"{orphaned} as they were loaded, but from files that {self.source} does not have"
            )
        for obstacle, number in Counter(check.obstacle for check in self.hopeless).items():
            why = f" while {self.source} {obstacle}" if obstacle else ""
            parts.append(f"{number} not proven: loading again would not help{why}")
        if gone := sum(1 for check in self.checks if check.state is State.NOT_PUBLISHED):
            parts.append(f"{gone} not published")
        if not self.proven and not self.wrong:
            parts.append("nothing was proven")
        return "verify: " + ", ".join(parts)

    @property
    def next_step(self) -> str | None:
        """What an operator does about what is wrong; None where the summary has said it all."""
        if self.mendable or self.loading:
            return "invoke verify --repair"
        if any(check.obstacle is Obstacle.GONE for check in self.wrong):
            return (
                "`invoke deploy-flows --source …` to go back to the source that they came from, or "
                "`invoke down` and the same command again to start without them"
            )
        refused = [check.cell for check in self.wrong if check.obstacle is Obstacle.REFUSED]
        if not refused:
            return None
        taxis, places = (
            {getattr(cell, name) for cell in refused} for name in ("taxi", "destination")
        )
        months = [cell.month for cell in refused]
        return (
            f"once the files are right there: invoke backfill --start {min(months)} --end "
            f"{max(months)} --taxi {','.join(sorted(taxis))} --destination "
            f"{','.join(sorted(places))} --only failed"
        )

    def to_json(self) -> list[dict[str, Any]]:
        """One object for each taxi, month and destination."""
        return [check.to_json() for check in self.checks]


def verify_months(context: BackfillContext, request: VerifyRequest) -> Verification:
    """Read source, ledgers, lake and tables side by side and compare them.

    Raises FailedError when one of them does not answer, or when no range was given and no
    month is loaded.
    """
    began = datetime.now(UTC)
    start, end, taxis = asked(context, request)
    request = replace(request, start=start, end=end, taxis=taxis)
    grid = Request(start, end, taxis, request.destinations).grid()
    # Read here, so that no two threads ask the target for them at the same time.
    client, bucket = context.storage(), context.outputs.bucket
    samples = context.serves_samples
    with ThreadPoolExecutor(4) as pool:
        lakes = [pool.submit(lake.read, client, bucket, taxi) for taxi in request.taxis]
        read = {
            (taxi, destination): pool.submit(
                tables.read, context, taxi, destination, start, end,
                duplicates=request.duplicates and destination == request.destinations[0],
            )
            for taxi in request.taxis
            for destination in request.destinations
        }  # fmt: skip
        looked = survey(context, grid)
        objects = {name: lake_object for job in lakes for name, lake_object in job.result().items()}
        months = {key: job.result() for key, job in read.items()}
    known = [_known(looked, cell, months, objects) for cell in sorted(grid)]
    return Verification(
        request=request,
        source=shown(looked.source),
        checks=tuple(check_all(known)),
        at=began,
        seconds=(datetime.now(UTC) - began).total_seconds(),
        samples=samples,
    )


def asked(context: BackfillContext, request: VerifyRequest) -> tuple[Month, Month, tuple[str, ...]]:
    """The range and the series, where the request leaves them to what is loaded.

    Raises FailedError when it leaves the range to that and nothing is loaded.
    """
    start, end, taxis = request.start, request.end, request.taxis
    if start is not None and end is not None and taxis:
        return start, end, taxis
    loaded = [
        cell
        for destination in request.destinations
        for cell in ledger.read(context, destination, start, end)
        if cell.taxi in (taxis or TAXIS)
    ]
    series = {cell.taxi for cell in loaded}
    if start is not None and end is not None:
        return start, end, tuple(sorted(series | {*COURSE}))
    if not loaded:
        raise FailedError("no month is loaded: there is nothing to verify", hint="invoke backfill")
    months = [cell.month for cell in loaded]
    return min(months), max(months), taxis or tuple(sorted(series))


def _known(
    survey: Survey,
    cell: Cell,
    months: Mapping[tuple[str, str], Mapping[Month, TableMonth]],
    objects: Mapping[str, LakeObject],
) -> Known:
    published = PUBLISHED_COUNTS.get(cell.taxi, {}) if is_public(survey.source) else {}
    return Known(
        state=survey.states[cell],
        table=months[cell.taxi, cell.destination].get(cell.month),
        lake=objects.get(object_name(cell.taxi, cell.month)),
        published_rows=published.get(str(cell.month)),
    )


def check_all(known: Iterable[Known]) -> list[CellCheck]:
    """Check every cell by itself, then those that are right against the other destination."""
    checks = [CellCheck(evidence, tuple(differences(evidence))) for evidence in known]
    right = {check.cell: check for check in checks if check.proven}
    return [_against_others(check, right) if check.proven else check for check in checks]


def _against_others(check: CellCheck, right: Mapping[Cell, CellCheck]) -> CellCheck:
    others = (
        right.get(replace(check.cell, destination=destination))
        for destination in DESTINATIONS
        if destination != check.cell.destination
    )
    mine = check.known.evidence
    differences = [
        difference
        for other in others
        if other
        for difference in between(mine, other.known.evidence, other.cell.destination)
    ]
    return replace(check, differences=tuple(differences))


def repair_months(
    context: BackfillContext,
    verification: Verification,
    console: Console,
    begun: Callable[[], object] = lambda: None,
) -> Result | None:
    """Reload the cells that differ and can be mended; None when there is none.

    Loads that are in hand of a backfill are waited for. The lake's objects are replaced where
    they differ from the source. Verify again afterwards. `begun`: as `run_backfill` has it.
    """
    cells = frozenset(check.cell for check in (*verification.mendable, *verification.loading))
    if not cells:
        return None
    request = Request(
        start=min(cell.month for cell in cells),
        end=max(cell.month for cell in cells),
        taxis=tuple(sorted({cell.taxi for cell in cells})),
        destinations=tuple(sorted({cell.destination for cell in cells})),
        only=frozenset({Only.ALL}),
        replace=True,
        cells=cells,
    )
    return run_backfill(context, plan_backfill(context, request), console, begun=begun)
