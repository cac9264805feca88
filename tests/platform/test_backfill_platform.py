"""Backfills on the whole local platform: gaps are filled, nothing twice, and it may be left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from taxi_etl import release
from taxi_etl.month import Month
from taxistack.backfill import Outcome, Request, State, plan_backfill, run_backfill
from taxistack.console import Console
from taxistack.verify import VerifyRequest, verify_months

ROOT = Path(__file__).resolve().parents[2]
ROWS = 60


@pytest.fixture
def publish(platform):
    """Put generated month files on the release site."""

    def put(taxi: str, first: str, last: str) -> None:
        for month in Month.range(Month.parse(first), Month.parse(last)):
            platform.publish(taxi, month, ROWS)

    return put


@pytest.fixture
def run(platform):
    """Plan and run a backfill; what came of it."""

    def go(start: str, end: str, **flags):
        plan = plan_backfill(platform.context, Request.parse(start, end, **flags))
        return run_backfill(platform.context, plan, Console(), poll_s=0.3)

    return go


def states(platform, start: str, end: str, **flags) -> dict[str, str]:
    plan = plan_backfill(platform.context, Request.parse(start, end, **flags))
    return {f"{cell.month} {cell.destination}": str(one.state) for cell, one in plan.states.items()}


def checks(platform, start: str, end: str, taxi: str):
    return verify_months(platform.context, VerifyRequest.parse(start, end, taxi=taxi))


def test_exactly_the_gaps_are_filled(platform, publish, run):
    publish("green", "2016-01", "2016-02")
    first = run("2016-01", "2016-01", taxi="green", destination="postgres")
    assert (first.outcome, first.rows) == (Outcome.DONE, ROWS)
    assert states(platform, "2016-01", "2016-03", taxi="green") == {
        "2016-01 postgres": "loaded", "2016-01 bigquery": "missing",
        "2016-02 postgres": "missing", "2016-02 bigquery": "missing",
        "2016-03 postgres": "not published", "2016-03 bigquery": "not published",
    }  # fmt: skip
    rest = run("2016-01", "2016-03", taxi="green")
    assert len(rest.loaded) == 3
    assert rest.outcome is Outcome.DONE
    assert run("2016-01", "2016-03", taxi="green").outcome is Outcome.NOTHING_TO_DO
    assert checks(platform, "2016-01", "2016-03", "green").exit_code == 0


def test_reloading_everything_changes_no_table(platform, publish, run):
    publish("green", "2016-05", "2016-05")
    run("2016-05", "2016-05", taxi="green")
    before = [one.known.table for one in checks(platform, "2016-05", "2016-05", "green").checks]
    again = run("2016-05", "2016-05", taxi="green", only="all")
    assert len(again.loaded) == 2
    found = checks(platform, "2016-05", "2016-05", "green")
    assert [one.known.table for one in found.checks] == before
    assert found.exit_code == 0


def test_a_broken_month_fails_with_its_reason_and_the_others_load(platform, publish, run):
    publish("green", "2016-07", "2016-08")
    broken = platform.releases / "green" / release.file_name("green", Month(2016, 7))
    broken.write_bytes(broken.read_bytes()[:-20])
    result = run("2016-07", "2016-08", taxi="green", destination="postgres")
    assert result.exit_code == 1
    (failure,) = result.failures
    assert str(failure.cell.month) == "2016-07"
    assert failure.execution_id in str(failure)
    assert [str(cell.month) for cell in result.loaded] == ["2016-08"]
    plan = plan_backfill(platform.context, Request.parse("2016-07", "2016-07", taxi="green"))
    (failed,) = [one for one in plan.states.values() if one.state is State.FAILED]
    assert failed.attempt == 1
    assert failure.reason in failed.reason
    publish("green", "2016-07", "2016-07")
    mended = run("2016-07", "2016-07", taxi="green", destination="postgres", only="failed")
    assert len(mended.loaded) == 1


def test_two_overlapping_backfills_at_once_lose_and_double_nothing(platform, publish, run):
    publish("green", "2017-01", "2017-03")
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(run, "2017-01", "2017-02", taxi="green", force=True)
        two = pool.submit(run, "2017-02", "2017-03", taxi="green", force=True)
    assert one.result().failures == two.result().failures == ()
    found = checks(platform, "2017-01", "2017-03", "green")
    assert found.exit_code == 0, [str(d) for c in found.wrong for d in c.differences]
    assert {one.known.table.rows for one in found.checks} == {ROWS}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_command_that_goes_away_is_attached_to_by_the_next(platform, publish, number):
    month = {signal.SIGKILL: "2017-05", signal.SIGTERM: "2017-06", signal.SIGINT: "2017-07"}[number]
    publish("green", month, month)
    command = [
        sys.executable, "-m", "invoke", "backfill", "--start", month, "--end", month,
        "--taxi", "green",
    ]  # fmt: skip
    environment = {**os.environ, "INVOKE_TAXISTACK_STATE": str(platform.state)}
    environment["INVOKE_TAXISTACK_SOURCE"] = str(platform.releases)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL, text=True,
    ) as started:  # fmt: skip
        for line in started.stderr:
            if line.startswith("backfill bf-"):
                name = line.split()[1].rstrip(":")
                break
        started.send_signal(number)
        told = started.stderr.read()
    if number is not signal.SIGKILL:
        assert f"invoke backfill --start {month}" in told
    plan = plan_backfill(platform.context, Request.parse(month, month, taxi="green"))
    result = run_backfill(platform.context, plan, Console(), poll_s=0.3)
    if plan.attached:  # the machine may have been quick enough to finish in between
        assert result.backfills == (name,)
    deadline = time.monotonic() + 60
    while checks(platform, month, month, "green").exit_code and time.monotonic() < deadline:
        time.sleep(1)
    assert checks(platform, month, month, "green").exit_code == 0
    executions = platform.context.kestra().executions.search(
        namespace="taxi", flow_id="taxi_to_postgres", labels={"taxi": "green", "month": month}
    )
    assert len(list(executions)) == 1


def test_the_plan_is_shown_and_nothing_runs(platform, publish):
    publish("green", "2017-09", "2017-09")
    done = platform.invoke(
        "backfill", "--start", "2017-09", "--end", "2017-10", "--taxi", "green", "--dry-run",
        "--json", INVOKE_TAXISTACK_SOURCE=str(platform.releases),
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["executions"] == 3
    assert told["expected_bytes"] > 0
    assert sorted((one["month"], one["state"], one["run"]) for one in told["cells"]) == [
        ("2017-09", "missing", True), ("2017-09", "missing", True),
        ("2017-10", "not published", False), ("2017-10", "not published", False),
    ]  # fmt: skip
    assert set(states(platform, "2017-09", "2017-09", taxi="green").values()) == {"missing"}
