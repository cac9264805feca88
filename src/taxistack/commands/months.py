"""`backfill`, `verify` and `homework`: everything that is about months of trips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taxistack.backfill import Request, grid_table, plan_backfill, run_backfill
from taxistack.backfill.grid import outlook
from taxistack.backfill.turns import turn
from taxistack.console import Console
from taxistack.costs import bill, limit
from taxistack.errors import FailedError, UsageError
from taxistack.targets import Target
from taxistack.verify import VerifyRequest, repair_months, verification_table, verify_months

# What `Verification.next_step` says of months that are mended by loading them again.
REPAIR = "invoke verify --repair"


@dataclass(frozen=True)
class Scope:
    """Which months a command is about; both ends None: every month that is loaded."""

    start: str | None
    end: str | None
    taxi: str
    destination: str


def scope(start: str, end: str, taxi: str, destination: str, *, optional: bool = False) -> Scope:
    """The flags of a range. Raises UsageError when an end is missing."""
    if not start and not end and optional:
        return Scope(None, None, taxi, destination)
    for flag, value in (("--start", start), ("--end", end)):
        if not value:
            raise UsageError(f"{flag} is missing: a month, YYYY-MM; both ends are needed")
    return Scope(start, end, taxi, destination)


def _request(target: Target, chosen: Scope, only: str, order: str, force: bool) -> Request:
    return Request.parse(
        chosen.start or "",
        chosen.end or "",
        taxi=chosen.taxi,
        destination=chosen.destination,
        only=only,
        order=order,
        parallel=target.settings.parallel,
        force=force,
    )


def check(target: Target, chosen: Scope, report: str) -> None:
    """Whether the months can be loaded and reported, before anything is started for them.

    Raises UsageError for a range that is none and a folder that can't be written.
    """
    _request(target, chosen, only="missing", order="oldest", force=False)
    _make_folder(report)


def _make_folder(report: str) -> None:
    """The report's folder, made before the work that it is for."""
    try:
        if report:
            Path(report).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--report {report}: can't be written: {error.strerror}") from error


def _publish_samples(target: Target, request: Request, console: Console) -> None:
    months = {(cell.taxi, cell.month) for cell in request.grid()}
    target.publish_samples(sorted(months), console.say)


def backfill(
    target: Target,
    console: Console,
    chosen: Scope,
    *,
    only: str,
    order: str,
    max_failures: int,
    dry_run: bool,
    force: bool,
    max_cost: str = "",
) -> None:
    """Show the plan, run it through Kestra, and say what came of it.

    `max_cost`: USD that BigQuery may bill for it at most; a dearer plan raises FailedError.
    """
    most = limit(max_cost)
    if max_failures < 0:
        raise UsageError(f"--max-failures {max_failures}: must be 0 (never) or more")
    request = _request(target, chosen, only, order, force)
    if not dry_run:
        _publish_samples(target, request, console)
    if dry_run:
        plan = plan_backfill(target, request, note=False)
        cost = bill(target, plan, most)
        price = {"bill": cost.as_json()} if cost else {}
        console.result(grid_table(plan, target.source_words), {**plan.to_json(), **price})
        console.summary(" ".join([outlook(plan), *([cost.line] if cost else [])]))
        return
    with turn(target.state_dir, console.say) as begun:
        plan = plan_backfill(target, request)
        if most is not None:
            bill(target, plan, most)
        console.sketch(grid_table(plan, target.source_words))
        console.say(outlook(plan))
        result = run_backfill(target, plan, console, max_failures=max_failures or None, begun=begun)
    console.result(None, result.to_json())
    for failure in result.failures:
        console.failure(str(failure))
    if result.exit_code:
        raise FailedError(result.summary)
    console.summary(result.summary)


def load(target: Target, console: Console, chosen: Scope) -> FailedError | None:
    """Load what is missing or failed; the failure is given back, so that the rest goes on."""
    try:
        backfill(
            target,
            console,
            chosen,
            only="missing,failed",
            order="oldest",
            max_failures=0,
            dry_run=False,
            force=False,
        )
    except FailedError as error:
        return error
    return None


def _flags(chosen: Scope) -> str:
    """What was asked for, to be asked for again."""
    destination = "" if chosen.destination == "all" else chosen.destination
    given = {
        "start": chosen.start,
        "end": chosen.end,
        "taxi": chosen.taxi,
        "destination": destination,
    }
    return "".join(f" --{name} {value}" for name, value in given.items() if value)


def verify(target: Target, console: Console, chosen: Scope, *, repair: bool, report: str) -> None:
    """Compare source, lake, ledger and tables; with `repair` reload what differs and look again.

    Raises FailedError when something differs at the end.
    """
    request = VerifyRequest.parse(
        chosen.start,
        chosen.end,
        taxi=chosen.taxi,
        destination=chosen.destination,
        duplicates=bool(report),  # the report counts them; that reads every column
    )
    _make_folder(report)
    console.say(f"comparing with {target.source_words}")
    verification = verify_months(target, request)
    if repair and verification.exit_code:
        console.sketch(verification_table(verification))
        console.say(verification.summary)
        with turn(target.state_dir, console.say) as begun:
            result = repair_months(target, verification, console, begun)
        if result is not None:
            console.say(result.summary)
        verification = verify_months(target, request)
    console.result(verification_table(verification), verification.to_json())
    if report:
        from taxistack.report import write_report  # the chart library is slow to load
        from taxistack.zones.busiest import busiest

        asked = verification.request
        listed = [check.cell.month for check in verification.checks]
        places = busiest(target, asked.destinations[0], asked.taxis, min(listed), max(listed))
        for page in write_report(verification, Path(report), places):
            console.say(f"wrote {page}")
    if verification.exit_code:
        hint = None if repair and verification.mendable else verification.next_step
        if hint == REPAIR:
            hint += _flags(chosen)
        raise FailedError(verification.summary, hint=hint)
    console.summary(verification.summary)


def homework(target: Target, console: Console) -> None:
    """Answer the course's questions from the ledger and the tables."""
    from taxistack import homework as course

    answers = course.homework(target)
    console.result(answers.table(), answers.to_json())
    console.summary(answers.summary)
