"""Runs a plan through Kestra and watches it to its end.

Kestra does the work: the command that started a backfill may go away at any moment, and the
backfill goes on. So everything here is watching, and asking Kestra to start or to end things.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from taxi_etl import release
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.executions import Executions, new_backfill_id
from taxistack.backfill.planner import LiveBackfill, Plan, nothing_published
from taxistack.backfill.progress import Tally, View, duration
from taxistack.backfill.result import Failure, Outcome, Result
from taxistack.backfill.state import LOST_AFTER, Cell, Run, RunState, State
from taxistack.console import Console, counted
from taxistack.errors import FailedError, TransientError
from taxistack.kestra import Broken

POLL_S = 1.0
# A search finds an execution a moment after the time that it bears as its start.
SEEN_LATE = timedelta(seconds=15)
# Kestra may be healed or upgraded while a backfill is watched; it goes on where it was.
PATIENCE_S = 180.0
# A killed execution ends when the processes of its tasks have.
ENDING_S = 60.0
# A second execution finishes what the first one lost; what is then left has another cause.
ROUNDS = 2


def run_backfill(
    context: BackfillContext,
    plan: Plan,
    console: Console,
    *,
    max_failures: int | None = None,
    poll_s: float = POLL_S,
    begun: Callable[[], object] = lambda: None,
) -> Result:
    """Start what the plan says, attach to what is in hand already, and watch until the end.

    `max_failures`: after so many failed months the rest is cancelled. `begun`: called when Kestra
    tells everybody of what was started. Raises FailedError when
    there is nothing to run because nothing is published.
    """
    wanted = frozenset(plan.steps) | plan.in_hand
    if not wanted:
        if plan.problems:
            raise FailedError(
                "; ".join(plan.problems),
                hint=f"the months come from {context.source_words}: another range, or another "
                "source (invoke deploy-flows --source …)",
            )
        return Result(Outcome.NOTHING_TO_DO)
    watch = _Watch(context, plan, console, max_failures, poll_s, begun)
    with _terminations_interrupt():
        return watch.run()


@contextmanager
def _terminations_interrupt() -> Iterator[None]:
    """SIGTERM ends the watching as Ctrl-C does; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Terminated(KeyboardInterrupt):
    """SIGTERM: nobody is there to be asked."""


@dataclass
class _Followed:
    """One backfill that is being watched. Its runs from before `since` have ended and are known."""

    execution_id: str
    backfill: str
    ended: RunState | None = None
    since: datetime | None = None

    def look(self, executions: Executions) -> dict[Cell, list[Run]]:
        """The runs that may have changed since the last look; all of them when it has ended.

        Who asks for all each time makes the server read the labels of every execution, and pays
        for it with every month that is done.
        """
        found = executions.runs(self.backfill, None if self.ended else self.since)
        runs = [run for each in found.values() for run in each]
        if runs:
            living = [run.started for run in runs if run.state is RunState.LIVE]
            first = min(living) if living else max(run.started for run in runs)
            self.since = first - SEEN_LATE
        return found


@dataclass
class _Watch:
    """One watch over one or more backfills, until all of them have ended."""

    context: BackfillContext
    plan: Plan
    console: Console
    max_failures: int | None
    poll_s: float
    started: Callable[[], object] = lambda: None
    executions: Executions = field(init=False)
    followed: list[_Followed] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    finished: dict[Cell, Run] = field(default_factory=dict)
    failures: dict[Cell, Failure] = field(default_factory=dict)
    rows: dict[Cell, int] = field(default_factory=dict)
    running: list[Cell] = field(default_factory=list)
    # Months and rows that the first look found done: they tell nothing of the speed from then on.
    already: tuple[int, int] | None = None
    began: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    chosen: bool = False
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.executions = Executions(self.context.kestra())
        self.wanted = frozenset(self.plan.steps) | self.plan.in_hand

    # --- the course of events ---------------------------------------------------------------

    def run(self) -> Result:
        with View(self.console) as view:
            try:
                self._start(view)
                self.started()
                self._rounds(view)
            except KeyboardInterrupt as stop:
                if not self._leave_or_cancel(view, stop):
                    return self._result(Outcome.LEFT_RUNNING)
        if self.cancelled:
            return self._result(Outcome.CANCELLED)
        return self._result(Outcome.FAILED if self.failures or self._left() else Outcome.DONE)

    def _start(self, view: View) -> None:
        for execution_id in self.plan.lost:
            view.event(f"the engine lost execution {execution_id}: it is ended and run again")
            self.executions.kill(execution_id)
        for live in self.plan.attached:
            self._attach(live, view)
        if self.plan.steps:
            self._begin(self.plan.steps, view)

    def _attach(self, live: LiveBackfill, view: View) -> None:
        self.followed.append(_Followed(live.execution_id, live.backfill))
        self.begun.append(live.backfill)
        view.event(f"attached to backfill {live.backfill} (execution {live.execution_id})")

    def _begin(self, cells: tuple[Cell, ...], view: View) -> None:
        backfill = new_backfill_id(datetime.now(UTC))
        self.begun.append(backfill)  # before: who is stopped meanwhile must be told of it
        execution_id = self.executions.start(
            cells, backfill, parallel=self.plan.request.parallel, replace=self.plan.replace
        )
        ours = _Followed(execution_id, backfill)
        self.followed.append(ours)
        self.executions.begun(backfill)  # who plans next sees it, and attaches to it
        view.event(f"backfill {backfill}: {counted(len(cells), 'month')}, execution {execution_id}")
        if not self.plan.request.force:  # which loads what is being loaded too
            self._step_back(ours, cells, view)

    def _step_back(self, ours: _Followed, cells: tuple[Cell, ...], view: View) -> None:
        """Leave to a backfill that began just before ours the months that it has too.

        It is of another machine: these do not see each other's turn, but what Kestra runs.
        """
        known = {backfill.execution_id for backfill in self.followed}
        theirs: set[Cell] = set()
        earlier: list[LiveBackfill] = []
        for backfill in self.executions.begun_before(ours.execution_id):
            if backfill.execution_id in known:
                continue
            if same := self._before_it(backfill).intersection(cells):
                earlier.append(backfill)
                theirs |= same
        if not earlier:
            return
        names = ", ".join(backfill.backfill for backfill in earlier)
        view.event(f"{names} began the same months just before: {ours.backfill} is ended")
        self.executions.kill(ours.execution_id)
        self.followed.remove(ours)
        self.begun.remove(ours.backfill)
        for backfill in earlier:
            self._attach(backfill, view)
        if rest := tuple(cell for cell in cells if cell not in theirs):
            self._begin(rest, view)

    def _before_it(self, live: LiveBackfill) -> frozenset[Cell]:
        """The months that a backfill has not ended yet; what it failed to load may be ours."""
        ended = {
            cell
            for cell, runs in self.executions.runs(live.backfill).items()
            if not any(run.state is RunState.LIVE for run in runs)
        }
        return live.cells - ended

    def _rounds(self, view: View) -> None:
        for left_rounds in reversed(range(ROUNDS)):
            self._follow(view)
            rest = self._lost_cells()
            if not rest or self.cancelled or not left_rounds:
                return
            view.event(f"lost on the way and run again: {counted(len(rest), 'month')}")
            self._begin(rest, view)

    def _follow(self, view: View) -> None:
        while True:
            self._poll(view)
            view.show(self._tally())
            if all(backfill.ended for backfill in self.followed):
                return
            if self._too_many_failures():
                view.event(f"{len(self.failures)} failed: the rest is cancelled")
                self._cancel()
                return
            # When every month has ended its backfill does in a moment.
            time.sleep(self.poll_s / 5 if self.finished.keys() >= self.wanted else self.poll_s)

    def _poll(self, view: View) -> None:
        """Read the backfills and their children, through times when Kestra does not answer."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                # The parents first: when one has ended, its children are read once after it.
                for backfill in self.followed:
                    backfill.ended = backfill.ended or self.executions.ended(backfill.execution_id)
                self._read(view)
            except (TransientError, Broken) as error:
                if self.context.was_stopped():
                    raise FailedError(
                        "the platform was stopped: the backfill stands still",
                        hint="invoke start: it goes on then; to attach to it again: "
                        f"invoke backfill {self.plan.request.attaching}",
                    ) from error
                if time.monotonic() > give_up:
                    raise
                view.event(f"Kestra does not answer, waiting: {error}")
                time.sleep(5 * self.poll_s)
            else:
                return

    def _read(self, view: View) -> None:
        now = datetime.now(UTC)
        self.running = []
        for backfill in self.followed:
            for cell, runs in backfill.look(self.executions).items():
                if cell in self.wanted and cell not in self.finished:
                    self._note(cell, max(runs, key=lambda run: (run.started, run.id)), view, now)

    def _note(self, cell: Cell, run: Run, view: View, now: datetime) -> None:
        if run.state is RunState.LIVE:
            self.running.append(cell)
            if not run.queued and now - run.heard > LOST_AFTER:
                heard = self.executions.heard_again([run], now)
                if now - heard.get(run.id, run.heard) > LOST_AFTER:
                    view.event(f"the engine lost execution {run.id} ({cell}): it is ended")
                    self.executions.kill(run.id)
            return
        self.finished[cell] = run
        place = f"[{len(self.finished)}/{len(self.wanted)}]"
        if run.state is RunState.FAILED:
            failure = Failure(cell, run.id, self.executions.reason(run.id, run.heard))
            self.failures[cell] = failure
            view.event(f"{place} {failure}")
            return
        words = _ENDED[run.state]
        if run.state is RunState.SUCCESS:
            self.rows[cell] = self.executions.rows(run.id)
            words += f" {self.rows[cell]:,} rows"
        view.event(f"{place} {cell}: {words} in {duration(run.seconds)}")

    # --- stopping ---------------------------------------------------------------------------

    def _leave_or_cancel(self, view: View, stop: KeyboardInterrupt) -> bool:
        """Ask what Ctrl-C means; True when the rest was cancelled."""
        view.pause()
        asked = self.console.live and sys.stdin.isatty() and not isinstance(stop, _Terminated)
        if asked and self._asked_to_cancel():
            self._cancel()
            return True
        self.chosen = asked
        view.event(
            "The backfill goes on in Kestra. To attach to it again: "
            f"invoke backfill {self.plan.request.attaching}"
        )
        return False

    def _asked_to_cancel(self) -> bool:
        question = "\nLeave it running, or cancel what is not done yet? [L]eave, [c]ancel: "
        try:
            while True:
                self.console.err.print(question, end="", markup=False)
                answer = sys.stdin.readline()
                # The end of the input is no answer, and nothing is cancelled without one.
                if not answer or answer.strip().lower() in {"", "l", "leave"}:
                    return False
                if answer.strip().lower() in {"c", "cancel"}:
                    return True
        except KeyboardInterrupt:
            return False

    def _cancel(self) -> None:
        """End the backfills and their children. A load is atomic: no month is left half done.

        Waits until they have ended: who runs the same command next must not meet them.
        """
        self.cancelled = True
        asked = {backfill.execution_id for backfill in self.followed}
        for parent in asked:
            self.executions.kill(parent)
        looks = 2  # a month that was just being started shows itself after its backfill has ended
        give_up = time.monotonic() + ENDING_S
        with suppress(KeyboardInterrupt):  # who is asked to stop once more stops waiting
            while looks:
                ending = self._alive()
                for execution_id in ending - asked:
                    self.executions.kill(execution_id)
                asked |= ending
                looks = 2 if ending else looks - 1
                if ending and time.monotonic() > give_up:
                    names = ", ".join(sorted(ending))
                    self.problems.append(f"still ending after {ENDING_S:.0f} s: {names}")
                    return
                time.sleep(self.poll_s)

    def _alive(self) -> set[str]:
        """The executions of these backfills that have not ended, children included."""
        parents = (backfill.execution_id for backfill in self.followed)
        alive = {parent for parent in parents if self.executions.ended(parent) is None}
        for backfill in self.followed:
            for runs in self.executions.runs(backfill.backfill).values():
                alive |= {run.id for run in runs if run.state is RunState.LIVE}
        return alive

    def _too_many_failures(self) -> bool:
        return self.max_failures is not None and len(self.failures) >= self.max_failures > 0

    # --- figures ----------------------------------------------------------------------------

    def _lost_cells(self) -> tuple[Cell, ...]:
        """What ended without a result of its own, unless the whole backfill came to nothing."""
        if any(backfill.ended is RunState.CANCELLED for backfill in self.followed):
            return ()
        rest = self._left()
        if rest and not self.finished:
            self.problems += [
                f"backfill {backfill.backfill} started no month: "
                f"{self.executions.reason(backfill.execution_id)} "
                f"(invoke logs --execution {backfill.execution_id})"
                for backfill in self.followed
            ]
            return ()
        return rest

    def _left(self) -> tuple[Cell, ...]:
        ordered = [*self.plan.steps, *sorted(self.plan.in_hand)]
        return tuple(
            cell
            for cell in dict.fromkeys(ordered)
            if cell not in self.finished or self.finished[cell].state is RunState.CANCELLED
        )

    def _tally(self) -> Tally:
        elapsed = time.monotonic() - self.began
        done, rows = len(self.finished), sum(self.rows.values())
        if self.already is None:
            self.already = (done, rows)
        left = None
        if seen := done - self.already[0]:
            left = elapsed / seen * (len(self.wanted) - done)
        elif not done and (expected := self.plan.expected.seconds or 0.0) > elapsed:
            left = expected - elapsed
        return Tally(
            total=len(self.wanted),
            done=done,
            failed=len(self.failures),
            rows=rows - self.already[1],
            elapsed=elapsed,
            left=left,
            running=self.running,
        )

    def _loaded(self) -> tuple[Cell, ...]:
        return tuple(
            cell for cell, run in sorted(self.finished.items()) if run.state is RunState.SUCCESS
        )

    def _result(self, outcome: Outcome) -> Result:
        loaded = self._loaded()
        return Result(
            outcome=outcome,
            backfills=tuple(self.begun),
            loaded=loaded,
            not_published=tuple(
                cell for cell, run in self.finished.items() if run.state is RunState.WARNING
            ),
            failures=tuple(self.failures.values()),
            left=self._left(),
            rows=sum(self.rows.values()),
            seconds=time.monotonic() - self.began,
            problems=(*self.plan.problems, *self.problems, *self._nothing_found()),
            chosen=self.chosen,
        )

    def _nothing_found(self) -> Iterator[str]:
        """Messages for the taxis of which no load found a file: the plan could not know it."""
        request = self.plan.request
        for taxi in request.taxis:
            cells = sorted(cell for cell in self.plan.states if cell.taxi == taxi)
            denied = [
                cell
                for cell in cells
                if cell in self.finished and self.finished[cell].state is RunState.WARNING
            ]
            rest = {self.plan.states[cell].state for cell in cells if cell not in denied}
            if denied and rest <= {State.NOT_PUBLISHED}:
                url = release.url(self.plan.source, taxi, denied[0].month)
                yield nothing_published(request, taxi, release.shown(url))


_ENDED: Mapping[RunState, str] = {
    RunState.SUCCESS: "loaded",
    RunState.WARNING: "not published",
    RunState.CANCELLED: "cancelled",
}
