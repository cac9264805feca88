"""Every flow file, validated and run by the real engine against the local platform."""

from __future__ import annotations

import itertools
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from taxi_etl.month import Month
from taxistack.commands.flows import (
    ANALYTICS,
    ETL,
    FLOWS,
    etl_requirements_digest,
    settings_of_flows,
)
from taxistack.deploy import deploy
from taxistack.kestra import Execution, KestraClient

NAMESPACE = "taxi"
ROWS = 300
MONTHS = ("2018-01", "2018-02", "2018-03", "2018-04")
"""Months that no other test uses."""
_BROKEN = itertools.count(1)
LATER = "2031-01"
"""A month that is not published."""


@pytest.fixture(scope="module")
def kestra(platform) -> KestraClient:
    """The platform's Kestra; the release site has a few sample months of both taxis."""
    for taxi in ("yellow", "green"):
        for month in MONTHS:
            platform.publish(taxi, Month.parse(month), ROWS)
    return platform.target.kestra()


@pytest.fixture
def broken_month(platform) -> Iterator[str]:
    """A month whose file is cut off in the middle; another one for each test."""
    month = f"2018-{next(_BROKEN) + 5:02d}"
    path = platform.publish("green", Month.parse(month), ROWS)
    path.write_bytes(path.read_bytes()[:2000])
    yield month
    path.unlink()


def run(kestra: KestraClient, flow: str, inputs: dict | None = None, **more: object) -> Execution:
    started = kestra.executions.create(NAMESPACE, flow, inputs, **more)
    return kestra.executions.wait(started.id, timeout=240)


def labels(one: Execution) -> dict[str, str]:
    return {key: value for key, value in one.labels.items() if not key.startswith("system.")}


def told(kestra: KestraClient, one: Execution, level: str = "INFO") -> list[str]:
    return [line.message for line in kestra.logs(one.id, level)]


def last_word(kestra: KestraClient, one: Execution, pattern: str) -> str:
    """The last line of the log; lines are filed a moment after the execution has ended."""
    with suppress(TimeoutError):
        eventually(lambda: re.search(pattern, "".join(told(kestra, one)[-1:])), seconds=30)
    last = told(kestra, one)[-1]
    assert re.search(pattern, last), told(kestra, one)
    return last


def eventually(check: Callable[[], object], seconds: float = 180.0) -> object:
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.2)
    return answer


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_engine_takes_the_flow(kestra, path: Path):
    assert kestra.flows.validate(path.read_text()) == []


def test_deploying_again_changes_nothing(platform, kestra):
    kv = settings_of_flows(platform.target, str(kestra.kv.get(NAMESPACE, "source")))
    deploy(kestra, FLOWS, ETL, kv, beside=[ANALYTICS])
    assert not deploy(kestra, FLOWS, ETL, kv, beside=[ANALYTICS]).changed


def test_a_changed_file_and_a_forgotten_one_are_deployed_and_pruned(platform, kestra, tmp_path):
    kv = settings_of_flows(platform.target, str(kestra.kv.get(NAMESPACE, "source")))
    shutil.copytree(FLOWS, tmp_path / "flows")
    extra = tmp_path / "flows" / "extra.yaml"
    extra.write_text((FLOWS / "hello_world.yaml").read_text().replace("hello_world", "extra"))
    beside = [ANALYTICS]
    more = deploy(kestra, tmp_path / "flows", ETL, {**kv, "extra": "x"}, beside=beside)
    assert more.count("created") == 2
    report = deploy(kestra, FLOWS, ETL, kv, beside=beside, prune=True)
    assert {(one.kind, one.name) for one in report.changes if one.action == "pruned"} == {
        ("flow", "extra"),
        ("key", "extra"),
    }
    assert kestra.flows.get(NAMESPACE, "extra") is None


def test_hello_world_greets(kestra):
    done = run(kestra, "hello_world", {"name": "Ada"})
    assert done.state == "SUCCESS"
    assert eventually(lambda: "Hello, Ada!" in told(kestra, done))
    assert "Ada" in kestra.outputs.flow(done.id)["composed"]


def test_getting_started_counts_trips_by_payment_type(kestra):
    done = run(kestra, "getting_started", {"taxi": "green", "month": MONTHS[0]})
    assert done.state == "SUCCESS", told(kestra, done)
    rows = kestra.outputs.flow(done.id)["rows"]
    assert sum(row["trips"] for row in rows) == ROWS
    assert all(set(row) == {"payment_type", "trips", "average_amount"} for row in rows)
    kept = kestra.outputs.tasks(done.id)["keep_columns"]["outputFiles"]["trips.csv"]
    text = kestra.files.download(done.id, kept).decode()
    assert text.splitlines()[0] == "payment_type,trip_distance,total_amount"


def test_getting_started_says_which_column_is_missing(kestra):
    done = run(
        kestra, "getting_started", {"month": MONTHS[0], "columns_to_keep": ["total_amount", "nope"]}
    )
    assert done.state == "FAILED"
    assert last_word(kestra, done, "the file has no column nope")


def test_the_server_says_which_packages_it_has(kestra):
    done = run(kestra, "etl_environment")
    assert kestra.outputs.flow(done.id)["requirements"] == etl_requirements_digest()


@pytest.mark.parametrize("destination", ["postgres", "bigquery"])
def test_one_month_by_hand_is_loaded_proven_and_labelled(kestra, platform, destination):
    done = run(kestra, f"taxi_to_{destination}", {"taxi": "green", "month": f"{MONTHS[0]}-15"})
    assert done.state == "SUCCESS", told(kestra, done)
    assert labels(done) == {
        "taxi": "green",
        "month": MONTHS[0],
        "destination": destination,
        "backfill": "manual",
    }
    outputs = kestra.outputs.flow(done.id)
    assert outputs["rows"] == str(ROWS)
    assert outputs["filename"] == f"green_tripdata_{MONTHS[0]}.csv.gz"
    assert told(kestra, done, "WARN") == []
    assert_every_task_ran_once(done)
    assert_no_secret_is_told(kestra, done, platform)


def assert_every_task_ran_once(done: Execution) -> None:
    """Kestra 2.0.0 runs a retried task too often when a sibling comes before it."""
    ids = [one["taskId"] for one in done.task_runs]
    assert len(ids) == len(set(ids))
    assert {len(one.get("attempts") or [1]) for one in done.task_runs} == {1}


def assert_no_secret_is_told(kestra: KestraClient, done: Execution, platform) -> None:
    lines = eventually(lambda: kestra.logs(done.id, "TRACE"))
    for secret in (platform.target.postgres_password(), platform.target.kestra_password()):
        assert not [line for line in lines if secret in line.message]
        assert secret not in str(done.raw)


def test_a_month_that_is_not_published_ends_as_warning_without_an_error(kestra):
    done = run(kestra, "taxi_to_postgres", {"taxi": "green", "month": LATER})
    assert done.state == "WARNING"
    assert labels(done)["month"] == LATER
    (line,) = eventually(lambda: told(kestra, done, "WARN"))
    assert line.startswith(f"green_tripdata_{LATER}.csv.gz is not published: http://")


def test_a_run_by_hand_without_a_month_says_what_to_give(kestra):
    done = run(kestra, "taxi_to_bigquery", {"taxi": "green"})
    assert done.state == "FAILED"
    assert last_word(kestra, done, "no month: give the input `month`")
    assert labels(done)["taxi"] == "green"


@pytest.mark.parametrize("destination", ["postgres", "bigquery"])
def test_a_broken_file_fails_with_its_reason_on_the_last_line(kestra, broken_month, destination):
    done = run(kestra, f"taxi_to_{destination}", {"taxi": "green", "month": broken_month})
    assert done.state == "FAILED"
    assert last_word(kestra, done, f"^green {broken_month} → {destination} failed: extract green")
    runs = [one["taskId"] for one in done.task_runs]
    assert runs.count("extract") == 1
    assert "load" not in runs


def test_a_restart_goes_on_at_the_step_that_failed(kestra, platform, broken_month):
    failed = run(kestra, "taxi_to_postgres", {"taxi": "green", "month": broken_month})
    assert failed.state == "FAILED"
    platform.publish("green", Month.parse(broken_month), ROWS)
    kestra.executions.restart(failed.id)

    def again() -> Execution | None:
        one = kestra.executions.get(failed.id)
        return one if one.attempt == 2 and one.terminated else None

    done = eventually(again)
    assert done.state == "SUCCESS", told(kestra, done)
    attempts = {one["taskId"]: len(one.get("attempts") or [1]) for one in done.task_runs}
    assert (attempts["label"], attempts["extract"], attempts["load"]) == (1, 2, 1)


def test_a_backfill_runs_every_entry_and_one_bad_month_stops_nothing(kestra, broken_month):
    months = [
        {"taxi": "green", "month": month, "destination": "postgres"}
        for month in (MONTHS[1], broken_month, LATER, MONTHS[2])
    ]
    inputs = {"months": months, "backfill": "bad-month", "parallel": 2}
    done = run(kestra, "taxi_backfill", inputs, labels={"asked": "by a test"})
    assert done.state == "WARNING"
    assert last_word(kestra, done, "2 of 4 months are not loaded")
    assert labels(done) == {"backfill": "bad-month", "asked": "by a test"}
    children = [
        one
        for one in kestra.executions.search(labels={"backfill": "bad-month"})
        if one.flow_id == "taxi_to_postgres"
    ]
    assert {one.labels["month"]: one.state for one in children} == {
        MONTHS[1]: "SUCCESS",
        broken_month: "FAILED",
        LATER: "WARNING",
        MONTHS[2]: "SUCCESS",
    }
    assert {one.labels["asked"] for one in children} == {"by a test"}
    assert {one.labels["destination"] for one in children} == {"postgres"}


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_months_run_at_once_than_were_asked_for(kestra, parallel):
    mark = f"width-{parallel}"
    months = [
        {"taxi": "green", "month": f"2031-0{month}", "destination": "postgres"}
        for month in range(1, 7)
    ]
    done = run(kestra, "taxi_backfill", {"months": months, "backfill": mark, "parallel": parallel})
    assert done.state == "WARNING", told(kestra, done)
    children = [
        one
        for one in kestra.executions.search(labels={"backfill": mark})
        if one.flow_id != "taxi_backfill"
    ]
    assert len(children) == len(months)
    edges = sorted(edge for one in children for edge in ((one.start, 1), (one.end, -1)))
    width = most = 0
    for _, step in edges:
        width += step
        most = max(most, width)
    assert 1 <= most <= parallel
    assert parallel == 1 or most > 1


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"taxi": "blue", "month": "2019-01", "destination": "postgres"}, "blue"),
        ({"taxi": "green", "month": "2019-13", "destination": "postgres"}, "2019-13"),
        ({"taxi": "green", "month": "2019-01", "destination": "excel"}, "excel"),
        ({"taxi": "green"}, "green"),
    ],
)
def test_a_wrong_entry_starts_nothing(kestra, entry, named):
    good = {"taxi": "green", "month": MONTHS[0], "destination": "postgres"}
    done = run(kestra, "taxi_backfill", {"months": [good, entry]})
    assert done.state == "FAILED"
    assert named in last_word(kestra, done, "nothing was started")
    children = kestra.executions.search(labels={"backfill": done.id})
    assert [one.flow_id for one in children] == ["taxi_backfill"]


def test_killing_a_backfill_ends_what_it_started(kestra):
    months = [{"taxi": "yellow", "month": month, "destination": "bigquery"} for month in MONTHS]
    inputs = {"months": months, "backfill": "killed", "parallel": 2}
    started = kestra.executions.create(NAMESPACE, "taxi_backfill", inputs)

    def children() -> list[Execution]:
        found = kestra.executions.search(labels={"backfill": "killed"})
        return [one for one in found if one.flow_id == "taxi_to_bigquery"]

    eventually(lambda: [one for one in children() if one.state == "RUNNING"])
    kestra.executions.kill(started.id)
    assert kestra.executions.wait(started.id, timeout=60).state == "KILLED"
    eventually(lambda: all(one.terminated for one in children()))
    assert len(children()) < len(months)
    inputs = {"months": months[:1], "backfill": "killed-again"}
    again = run(kestra, "taxi_backfill", inputs)
    assert again.state == "SUCCESS", told(kestra, again)


def test_a_trigger_backfill_loads_the_month_of_each_tick(kestra):
    kestra.triggers.backfill(
        NAMESPACE,
        "taxi_to_postgres",
        "green",
        datetime(2018, 1, 1, tzinfo=UTC),
        datetime(2018, 4, 2, tzinfo=UTC),
        labels={"backfill": "by-trigger"},
    )

    def ended() -> list[Execution]:
        hits = [*kestra.executions.search(labels={"backfill": "by-trigger"})]
        return hits if len(hits) == 4 and all(one.terminated for one in hits) else []

    hits = eventually(ended)
    assert {labels(one)["month"]: one.state for one in hits} == dict.fromkeys(MONTHS, "SUCCESS")
    assert {one.trigger_id for one in hits} == {"green"}
    assert {labels(one)["taxi"] for one in hits} == {"green"}
    assert {labels(one)["destination"] for one in hits} == {"postgres"}
