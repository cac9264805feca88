"""A backfill is started once, watched, attached to, left and cancelled, all through Kestra."""

from __future__ import annotations

import io
import os
import re
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console as RichConsole

from taxi_etl.month import Month
from taxistack.backfill import Only, Outcome, Request, plan, plan_backfill, run_backfill, runner
from taxistack.backfill.executions import Executions
from taxistack.backfill.runner import _Followed, _Watch
from taxistack.backfill.state import Cell, CellState, RunState, SourceFile, State
from taxistack.backfill.survey import claims_of, derive, part_lost
from taxistack.console import Console
from taxistack.errors import FailedError
from taxistack.kestra.problems import Broken, Unavailable


@pytest.fixture
def said() -> io.StringIO:
    """What the command said on stderr."""
    return io.StringIO()


@pytest.fixture
def run(context, said):
    """Run a plan without pauses."""
    console = Console(err=RichConsole(file=said, width=200))

    def go(made, **options):
        return run_backfill(context, made, console, poll_s=0, **options)

    return go


@pytest.fixture
def planned(context, kestra):
    """A plan over green 2019-01 to 2019-04 in Postgres, as Kestra's executions make it."""
    request = Request(Month(2019, 1), Month(2019, 4), ("green",), ("postgres",))

    def make(state: State | None = None, **changes):
        asked = replace(request, **changes)
        grid, now = asked.grid(), datetime.now(UTC)
        executions = Executions(context.kestra())
        ran = executions.runs_of([Month(2019, 1), Month(2019, 2), Month(2019, 3), Month(2019, 4)])
        alive, lost = part_lost(executions.live_backfills(), ran, now)
        if state:
            states = {cell: CellState(cell, state) for cell in grid}
        else:
            states = derive(grid, {}, ran, {}, claims_of(alive, ran), now)
        return plan(asked, states, source="http://site", live=alive, lost=lost)

    return make


def test_one_execution_with_every_month_its_id_and_width(run, planned, kestra):
    result = run(planned(parallel=3))
    assert result.outcome is Outcome.DONE
    assert result.exit_code == 0
    assert result.rows == 400
    (inputs,) = kestra.inputs
    assert [one["month"] for one in inputs["months"]] == [f"2019-0{n}" for n in range(1, 5)]
    assert inputs["parallel"] == 3
    assert inputs["replace"] == "false"
    assert result.backfills == (inputs["backfill"],)


def test_a_stale_month_is_replaced_in_the_lake(run, planned, kestra):
    from taxistack.backfill import Only

    run(planned(State.STALE, only=frozenset({Only.FAILED})))
    assert kestra.inputs[0]["replace"] == "true"


def test_a_failed_month_says_why_and_how_to_read_its_log(run, planned, kestra, said):
    kestra.ends["2019-02"] = "FAILED"
    kestra.ends["2019-03"] = "WARNING"
    result = run(planned())
    assert result.outcome is Outcome.FAILED
    assert result.exit_code == 1
    (failure,) = result.failures
    assert failure.reason == "short row 17"
    line = f"green 2019-02 in postgres failed: short row 17 (invoke logs --execution {failure.execution_id})"  # noqa: E501
    assert line in said.getvalue()
    assert [str(cell.month) for cell in result.not_published] == ["2019-03"]
    assert [str(cell.month) for cell in result.loaded] == ["2019-01", "2019-04"]


def test_the_reason_of_a_month_that_failed_just_now_is_waited_for(run, planned, kestra):
    """A server files log lines a moment after it tells of the end."""
    kestra.ends["2019-02"] = "FAILED"
    kestra.log_lag = 2
    (failure,) = run(planned()).failures
    assert failure.reason == "short row 17"


def test_the_reason_of_an_old_failure_is_not_waited_for(context, kestra):
    kestra.log_lag = 2
    ended = datetime.now(UTC) - timedelta(hours=1)
    assert Executions(context.kestra()).reason("x", ended) == "Command failed with code 1"
    assert kestra.log_lag == 1


SPEECHLESS = "green 2019-01 → bigquery failed: see the log of the task that is red"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            [
                "io.pebbletemplates.pebble.error.PebbleException: The key 'bucket' does not exist "
                "in the namespace 'taxi'. ({{ kv('bucket') }}:1)\n\tat io.kestra.Some.code",
                SPEECHLESS,
            ],
            "KV pair `bucket` of namespace taxi is missing: invoke deploy-flows",
        ),
        (
            ["java.io.IOException: No space left on device\n\tat java.base/Some.code", SPEECHLESS],
            "No space left on device",
        ),
        (["javax.net.ssl.SSLException: closed", SPEECHLESS], "closed"),
        (["short row 17", "Command failed with exit code 1", SPEECHLESS], "short row 17"),
        (["Command failed with exit code 1", SPEECHLESS], "Command failed with exit code 1"),
        (["yellow (no month) → postgres failed: no month was given"], "no month was given"),
        ([SPEECHLESS], "its log has no error line"),
        ([], "its log has no error line"),
    ],
)
def test_a_reason_says_what_happened_and_how_a_missing_pair_is_mended(
    context, kestra, monkeypatch, lines, reason
):
    told = [{"level": "ERROR", "taskId": "failed", "message": line} for line in lines]
    monkeypatch.setattr(kestra, "_log", lambda: told)
    ended = datetime.now(UTC) - timedelta(hours=1)
    assert Executions(context.kestra()).reason("x", ended) == reason


def test_after_max_failures_the_rest_is_cancelled(run, planned, kestra):
    kestra.ends = {f"2019-0{n}": "FAILED" for n in range(1, 5)}
    result = run(planned(parallel=1), max_failures=2)
    assert result.outcome is Outcome.CANCELLED
    assert len(result.failures) == 2
    assert len(result.left) == 2
    parents = [one["id"] for one in kestra.executions.values() if one["flowId"] == "taxi_backfill"]
    assert kestra.killed == parents


def test_running_again_attaches_to_the_live_backfill(run, planned, kestra, said):
    made = planned()
    kestra.backfill(list(made.steps))
    again = planned()
    assert again.steps == ()
    result = run(again)
    assert result.outcome is Outcome.DONE
    assert result.backfills == ("bf-live",)
    assert len(result.loaded) == 4
    assert kestra.inputs == []
    assert "attached to backfill bf-live" in said.getvalue()


def test_who_watches_asks_again_for_what_may_have_changed_alone(context, kestra):
    cells = [Cell("green", Month(2019, number), "postgres") for number in range(1, 6)]
    live = kestra.backfill(cells)
    for cell, minutes in zip(cells[:3], (50, 40, 30), strict=True):
        kestra.month(cell, "SUCCESS", "bf-live", minutes_ago=minutes)
    long = kestra.month(cells[3], "RUNNING", "bf-live", minutes_ago=20)
    watched, executions = _Followed(live, "bf-live"), Executions(context.kestra())

    assert watched.look(executions).keys() == {*cells[:4]}
    kestra.month(cells[4], "SUCCESS", "bf-live", minutes_ago=10)
    assert watched.look(executions).keys() == {*cells[3:]}
    kestra.end(long, "FAILED")
    assert watched.look(executions)[cells[3]][0].state is RunState.FAILED
    assert watched.look(executions).keys() == {cells[4]}
    watched.ended = RunState.FAILED
    assert watched.look(executions).keys() == {*cells}


def test_months_that_were_done_before_attaching_tell_no_speed(run, planned, kestra, said):
    """They were not loaded within the second that this command has been watching."""
    made = planned()
    kestra.backfill(list(made.steps))
    running = [kestra.month(cell, "RUNNING", "bf-live") for cell in made.steps[:3]]
    again = planned()
    for name in running:
        kestra.end(name, "SUCCESS")
    kestra.lose = {"2019-04"}  # the last one is not begun at the first look
    run(again)
    (line,) = [one for one in said.getvalue().splitlines() if " done" in one and " of " in one][:1]
    assert line.startswith("3 of 4 done")
    assert "rows/s" not in line
    assert "left" not in line


def test_an_expectation_that_has_run_out_is_told_no_more(context, planned):
    """Better no time than `about 0 s left` for minutes."""
    made = planned()
    made = replace(made, expected=replace(made.expected, seconds=5.0))
    watch = _Watch(context, made, Console(), max_failures=None, poll_s=0)
    assert 0 < watch._tally().left <= 5
    watch.began -= 60
    assert watch._tally().left is None


def test_only_what_a_live_backfill_does_not_have_is_started(run, planned, kestra):
    kestra.backfill(list(planned().steps)[:2])
    result = run(planned())
    assert len(result.loaded) == 4
    assert [one["month"] for one in kestra.inputs[0]["months"]] == ["2019-03", "2019-04"]


def test_a_month_that_the_backfill_lost_runs_again(run, planned, kestra, said):
    kestra.lose = {"2019-03"}
    seen = []

    def found_again():
        seen.append(1)
        if len(kestra.inputs) == 2:
            kestra.lose = set()

    kestra.on_read = found_again
    result = run(planned())
    assert result.outcome is Outcome.DONE
    assert len(kestra.inputs) == 2
    assert [one["month"] for one in kestra.inputs[1]["months"]] == ["2019-03"]
    assert "lost on the way" in said.getvalue()


def test_a_backfill_that_starts_nothing_fails_with_its_reason(run, planned, kestra):
    kestra.lose = {f"2019-0{n}" for n in range(1, 5)}
    result = run(planned())
    assert result.outcome is Outcome.FAILED
    assert "short row 17" in result.summary
    assert len(kestra.inputs) == 1


def test_executions_that_the_engine_lost_are_ended_and_their_months_run(run, planned, kestra):
    cells = list(planned().steps)
    parent = kestra.backfill(cells, minutes_ago=300)
    child = kestra.month(cells[0], "RUNNING", "bf-live", minutes_ago=300)
    made = planned()
    assert set(made.lost) == {parent, child}
    assert len(made.steps) == 4
    result = run(made)
    assert set(kestra.killed) >= {parent, child}
    assert result.outcome is Outcome.DONE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_without_a_terminal_leaves_it_running(run, planned, kestra, said, number):
    kestra.on_read = lambda: os.kill(os.getpid(), number)
    result = run(planned())
    assert result.outcome is Outcome.LEFT_RUNNING
    assert result.exit_code == 1
    assert kestra.killed == []
    hint = "invoke backfill --start 2019-01 --end 2019-04 --taxi green --destination postgres"
    assert f"{hint}\n" in said.getvalue()
    kestra.on_read = lambda: None
    assert run(planned()).outcome is Outcome.DONE
    assert len(kestra.inputs) == 1


def test_a_signal_while_it_is_started_still_tells_its_id(context, planned, monkeypatch, run):
    """Kestra may have begun it by then: who is stopped has to know how it is called."""

    def start(self, cells, backfill, **options):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Executions, "start", start)
    result = run(planned())
    assert result.outcome is Outcome.LEFT_RUNNING
    assert re.match(r"backfill bf-\d{8}-\d{6}-\w{4} left running in ", result.summary)


def test_a_start_whose_answer_is_lost_is_found_by_its_name(run, planned, kestra):
    kestra.loses_answers = True
    assert run(planned()).outcome is Outcome.DONE
    assert len(kestra.inputs) == 1, "it was sent once"


def test_a_start_that_did_not_come_about_is_told(run, planned, kestra, monkeypatch):
    monkeypatch.setattr("taxistack.backfill.executions.BEGUN_S", 0.0)
    kestra.refuses_starts = True
    with pytest.raises(Unavailable, match=r"start taxi\.taxi_backfill: .* refused"):
        run(planned())
    assert kestra.executions == {}


@pytest.mark.parametrize("silent", [True, False])
def test_a_source_that_does_not_answer_is_told_in_one_line_and_nothing_started(
    run, planned, kestra, silent
):
    made = planned()
    problem = "http://site/x: no answer in time"
    source = SourceFile("green", Month(2019, 1), "u", None, problem=problem, silent=silent)
    states = {cell: replace(found, source=source) for cell, found in made.states.items()}
    if not silent:  # it answers, and not with the file: the loads say what each month's is
        assert plan(made.request, states, source="s").steps == made.steps
        return
    assert plan(replace(made.request, force=True), states, source="s").steps == made.steps
    with pytest.raises(FailedError, match=f"does not answer, so nothing was started.*{problem}"):
        run(plan(made.request, states, source="s"))
    assert kestra.inputs == []
    loaded = {cell: replace(found, state=State.LOADED) for cell, found in states.items()}
    assert run(plan(made.request, loaded, source="s")).exit_code == 0


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        ("c", "cancelled", 1),
        ("", "left running", 0),
        ("L", "left running", 0),
        ("n\nyes\nc", "cancelled", 1),  # neither is an answer: asked again
    ],
)
def test_ctrl_c_on_a_terminal_asks(context, planned, kestra, monkeypatch, answer, outcome, code):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    monkeypatch.delenv("CI", raising=False)
    err = RichConsole(file=Terminal(), force_terminal=True, width=120)

    def interrupt():
        raise KeyboardInterrupt

    kestra.on_read = interrupt
    result = run_backfill(context, planned(), Console(err=err), poll_s=0)
    assert (str(result.outcome), result.exit_code) == (outcome, code)
    assert bool(kestra.killed) == (outcome == "cancelled")


def test_a_cancelled_backfill_has_ended_when_the_command_ends(context, planned, kestra, run):
    kestra.ends = {"2019-01": "FAILED"}
    kestra.kill_takes = 3
    assert run(planned(parallel=1), max_failures=1).outcome is Outcome.CANCELLED
    assert Executions(context.kestra()).live_backfills() == []


def test_what_does_not_end_is_named(planned, kestra, run, monkeypatch):
    monkeypatch.setattr(runner, "ENDING_S", 0.0)
    kestra.ends = {"2019-01": "FAILED"}
    kestra.kill_takes = 10**9
    result = run(planned(parallel=1), max_failures=1)
    assert f"still ending after 0 s: {kestra.killed[0]}" in result.summary


def test_nothing_to_do_starts_nothing(run, planned, kestra):
    result = run(planned(State.LOADED))
    assert result.outcome is Outcome.NOTHING_TO_DO
    assert result.exit_code == 0
    assert kestra.inputs == []


def test_a_taxi_that_is_published_nowhere_is_an_error_with_the_url(run, planned):
    made = planned(State.NOT_PUBLISHED)
    source = SourceFile("green", Month(2019, 1), "http://site/green/x.csv.gz", False)
    states = {cell: replace(found, source=source) for cell, found in made.states.items()}
    with pytest.raises(FailedError, match=re.escape(source.url)):
        run(plan(made.request, states, source="http://site"))


def test_a_taxi_of_which_no_download_finds_a_file_is_an_error_with_the_url(run, planned, kestra):
    """Where the site answers no HEAD, only the loads tell that nothing is there."""
    months = [f"2019-0{n}" for n in range(1, 5)]
    kestra.ends = dict.fromkeys(months, "WARNING")
    result = run(planned())
    assert result.exit_code == 1
    assert "no month of green from 2019-01 to 2019-04 is published" in result.summary
    assert "http://site/green/green_tripdata_2019-01.csv.gz" in result.summary
    kestra.ends["2019-03"] = "SUCCESS"
    assert run(planned(State.MISSING)).exit_code == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"taxis": ("green", "yellow"), "destinations": ("bigquery", "postgres")}, ""),
        ({"only": frozenset({Only.FAILED})}, " --taxi green --destination postgres --only failed"),
        ({"only": frozenset({Only.ALL})}, " --taxi green --destination postgres"),
    ],
)
def test_the_command_that_attaches_asks_for_the_same_months(planned, changes, told):
    flags = planned(State.MISSING, **changes).request.attaching
    assert flags == f"--start 2019-01 --end 2019-04{told}"


def test_months_outside_the_range_tell_how_long_a_load_takes(context, kestra, make, monkeypatch):
    """A range that was never loaded is the usual one."""
    before = Cell("green", Month(2018, 12), "postgres")
    kestra.end(kestra.month(before, "RUNNING", minutes_ago=2), "SUCCESS")

    def read(_, destination, start, end):
        load = make.load(before)
        asked = (start or before.month) <= before.month <= (end or before.month)
        return {before: load} if asked and destination == "postgres" else {}

    monkeypatch.setattr("taxistack.backfill.ledger.read", read)
    request = Request(Month(2019, 1), Month(2019, 2), ("green",), ("postgres",), parallel=1)
    made = plan_backfill(context, request, check_source=False)
    assert made.expected.seconds == pytest.approx(240, abs=5)


def test_kestra_may_be_away_for_a_while(run, planned, kestra, said):
    import httpx

    calls = []

    def away():
        calls.append(1)
        if len(calls) in (2, 3, 4, 5, 6, 7):
            raise httpx.ConnectError("refused")

    kestra.on_read = away
    result = run(planned())
    assert result.outcome is Outcome.DONE


def test_state_words_of_kestra_are_known(kestra, context, planned):
    cell = planned().steps[0]
    for word, state in [
        ("SUCCESS", RunState.SUCCESS), ("WARNING", RunState.WARNING), ("FAILED", RunState.FAILED),
        ("KILLED", RunState.CANCELLED), ("QUEUED", RunState.LIVE),
    ]:  # fmt: skip
        kestra.executions.clear()
        kestra.month(cell, word)
        (run,) = Executions(context.kestra()).runs_of([cell.month])[cell]
        assert run.state is state
    kestra.executions.clear()
    kestra.month(cell, "RETRIED")
    assert Executions(context.kestra()).runs_of([cell.month]) == {}


def test_who_watches_a_platform_that_was_stopped_is_told_at_once(
    context, run, planned, monkeypatch
):
    def silent(*_: object) -> None:
        context.stopped = True
        raise Unavailable("Kestra does not answer")

    monkeypatch.setattr(Executions, "ended", silent)
    with pytest.raises(FailedError, match="the platform was stopped") as raised:
        run(planned())
    assert "invoke start" in raised.value.hint
    assert "invoke backfill --start 2019-01 --end 2019-04" in raised.value.hint


@pytest.mark.parametrize(
    "silence", [Unavailable("Kestra does not answer"), Broken("Kestra answered 500", status=500)]
)
def test_a_kestra_that_is_silent_for_a_while_is_waited_for(
    run, planned, monkeypatch, said, silence
):
    real, looks = Executions.ended, iter([True, True])

    def silent_at_first(self, execution_id: str) -> RunState | None:
        if next(looks, False):
            raise silence
        return real(self, execution_id)

    monkeypatch.setattr(Executions, "ended", silent_at_first)
    assert run(planned()).outcome is Outcome.DONE
    assert said.getvalue().count("Kestra does not answer, waiting") == 2


@pytest.fixture
def meanwhile(kestra, monkeypatch):
    """Another machine starts a backfill of months while this one does, so many minutes before."""
    real = Executions.start

    def other(cells: list[Cell], minutes: float) -> None:
        def start(self, *arguments, **options):
            found = real(self, *arguments, **options)
            if not any(one["flowId"] == "taxi_backfill" and one["id"] != found
                       for one in kestra.executions.values()):  # fmt: skip
                kestra.backfill(cells, "bf-other", minutes_ago=minutes)
            return found

        monkeypatch.setattr(Executions, "start", start)

    return other


def test_of_two_machines_the_later_one_leaves_the_same_months_to_the_other(
    run, planned, kestra, meanwhile, said
):
    theirs = [Cell("green", Month(2019, month), "postgres") for month in (1, 2)]
    meanwhile(theirs, minutes=1)
    result = run(planned())
    assert result.outcome is Outcome.DONE
    first, rest = kestra.inputs
    assert len(first["months"]) == 4
    assert [one["month"] for one in rest["months"]] == ["2019-03", "2019-04"]
    assert result.backfills == ("bf-other", rest["backfill"])
    assert len(result.loaded) == 4
    ended = [kestra.executions[one]["inputs"]["backfill"] for one in kestra.killed]
    assert ended == [first["backfill"]]
    assert f"bf-other began the same months just before: {first['backfill']}" in said.getvalue()


def test_what_a_running_backfill_failed_to_load_is_not_left_to_it(run, planned, kestra):
    """It was there when the plan was made, and goes on with other months."""
    failed, later = (Cell("green", Month(2019, month), "postgres") for month in (1, 9))
    kestra.month(failed, "FAILED", "bf-live", minutes_ago=1)
    kestra.backfill([failed, later], minutes_ago=2)
    result = run(planned(only=frozenset({Only.FAILED})))
    assert [cell.month for cell in result.loaded] == [failed.month]
    assert kestra.killed == []
    assert len(kestra.inputs) == 1


@pytest.mark.parametrize(
    ("minutes", "month", "force"), [(-1, 1, False), (1, 9, False), (1, 1, True)]
)
def test_a_later_one_another_range_and_a_forced_load_end_nothing(
    run, planned, kestra, meanwhile, minutes, month, force
):
    meanwhile([Cell("green", Month(2019, month), "postgres")], minutes=minutes)
    assert run(planned(force=force)).outcome is Outcome.DONE
    assert kestra.killed == []
    assert len(kestra.inputs) == 1
