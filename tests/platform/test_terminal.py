"""What somebody who stays in the terminal asks: run this, what failed, end that, where from."""

from __future__ import annotations

import json
import time

import pytest


@pytest.fixture(scope="module")
def own_flow(platform):
    """Two flows of the user's own: one fails with a word of its own, one takes its time."""
    client = platform.context.kestra()
    flows = {
        "of_mine_fails": "  - id: no\n    type: io.kestra.plugin.core.execution.Fail\n"
        "    errorMessage: the well is dry\n",
        "of_mine_waits": "  - id: long\n    type: io.kestra.plugin.core.flow.Sleep\n"
        "    duration: PT5M\n",
    }
    for name, tasks in flows.items():
        client.flows.create(f"id: {name}\nnamespace: taxi\ntasks:\n{tasks}")
    yield flows
    for name in flows:
        client.flows.delete("taxi", name)


def test_run_waits_and_tells_log_outputs_and_state(platform):
    done = platform.invoke("run", "hello_world", "--input", "name=Ada")
    assert "Hello, Ada!" in done.stderr
    assert "ran for Ada" in done.stdout
    assert "hello_world ended SUCCESS in" in done.stdout.splitlines()[-1]
    said = json.loads(platform.invoke("run", "hello_world", "--json").stdout)
    assert (said["state"], "Will" in said["outputs"]["composed"]) == ("SUCCESS", True)
    assert any("Hello, Will!" in line["message"] for line in said["log"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["hello_wrld"], "try: invoke run hello_world"),
        (["hello_world", "--input", "nam=x"], "hello_world has no such input; it has name"),
        (["hello_world", "--input", "name"], "--input name: must be name=value"),
    ],
)
def test_a_run_of_what_there_is_not_is_wrong_use(platform, arguments, told):
    assert told in platform.invoke("run", *arguments, code=2).stderr


def test_a_failure_is_told_by_run_and_by_executions_and_by_status(platform, own_flow):
    failed = platform.invoke("run", "of_mine_fails", code=1)
    assert "of_mine_fails ended FAILED: the well is dry" in failed.stderr
    listed = platform.invoke("executions", "--failed", "--flow", "of_mine_fails", "--since", "1h")
    assert "the well is dry" in listed.stdout
    assert listed.stdout.splitlines()[-1] == "1 failed execution"
    assert "of_mine_fails: the well is dry" in platform.invoke("status").stdout
    as_json = json.loads(platform.invoke("executions", "--failed", "--limit", "1", "--json").stdout)
    assert [one["flow"] for one in as_json] == ["of_mine_fails"]
    none = platform.invoke("executions", "--flow", "of_mine_fails", "--since", "2099-01-01")
    assert none.stdout == "0 executions\n"


def test_cancel_ends_an_execution_and_says_so_twice(platform, own_flow):
    client = platform.context.kestra()
    running = client.executions.create("taxi", "of_mine_waits")
    done = platform.invoke("cancel", running.id)
    assert f"{running.id} of of_mine_waits ended KILLED" in done.stdout
    assert client.executions.get(running.id).terminated
    assert "had ended already" in platform.invoke("cancel", running.id).stdout
    assert "there is no execution nosuch" in platform.invoke("cancel", "nosuch", code=2).stderr


def test_cancel_ends_a_backfill_with_its_loads(platform, publish):
    from taxistack.backfill.executions import Executions

    publish("2021-01", "2021-06")
    executions = Executions(platform.context.kestra())
    from taxistack.backfill import Request

    cells = Request.parse("2021-01", "2021-06").grid()
    executions.start(cells, "bf-of-the-test", parallel=2, replace=False)
    give_up = time.monotonic() + 60
    while not executions.runs("bf-of-the-test"):
        assert time.monotonic() < give_up
        time.sleep(0.2)
    assert "ended KILLED" in platform.invoke("cancel", "bf-of-the-test").stdout
    assert executions.live_backfills() == []
    client = platform.context.kestra()
    ran = client.executions.search(namespace="taxi", labels={"backfill": "bf-of-the-test"})
    assert all(one.terminated for one in ran)


@pytest.fixture
def publish(platform):
    """Put generated months on the release site."""
    from taxi_etl.month import Month

    def put(first: str, last: str) -> None:
        for taxi in ("green", "yellow"):
            for month in Month.range(Month.parse(first), Month.parse(last)):
                platform.publish(taxi, month, 100)

    return put


# --- where months come from ---------------------------------------------------------------------


def test_status_the_plan_and_verify_name_the_source(platform, publish):
    publish("2021-07", "2021-07")
    words = f"folder {platform.releases}"
    assert f"Months come from {words}" in platform.invoke("status").stdout
    asked = ("--start", "2021-07", "--end", "2021-07", "--taxi", "green")
    assert f"Months from {words}" in platform.invoke("backfill", *asked, "--dry-run").stdout
    nothing = platform.invoke("backfill", "--start", "1999-01", "--end", "1999-01", code=1)
    assert f"the months come from {words}: another range, or another source" in nothing.stderr


def test_no_sample_is_made_by_a_dry_run_nor_for_another_source(platform):
    samples = platform.state / "releases"
    asked = ("backfill", "--start", "2021-08", "--end", "2021-08")
    platform.invoke(*asked, code=1)  # the folder has no such month
    assert not list(samples.glob("*/*.gz"))
    platform.invoke("deploy-flows", "--source", "sample")
    try:
        planned = json.loads(platform.invoke(*asked, "--dry-run", "--json").stdout)
        assert {one["state"] for one in planned["cells"]} == {"missing"}
        assert not list(samples.glob("*/*.gz"))
        platform.invoke(*asked, "--dry", "--json")
        assert not list(samples.glob("*/*.gz"))
    finally:
        platform.invoke("deploy-flows", "--source", str(platform.releases))


def test_a_backfill_whose_source_is_silent_starts_no_execution(platform, publish):
    client = platform.context.kestra()
    source = platform.context.source
    before = [one.id for one in client.executions.search(namespace="taxi")]
    client.kv.put("taxi", "source", "http://127.0.0.1:9")
    try:
        asked = ("backfill", "--start", "2021-09", "--end", "2021-12")
        done = platform.invoke(*asked, code=1)
    finally:
        client.kv.put("taxi", "source", source)
    assert done.stderr.count("\nerror: ") == 1
    assert "does not answer, so nothing was started" in done.stderr
    assert [one.id for one in client.executions.search(namespace="taxi")] == before


# --- dry runs -------------------------------------------------------------------------------------


def test_down_dry_destroys_nothing(platform):
    before = platform.invoke("status", "--json").stdout
    for flags in (["--dry"], ["--yes", "--dry"], ["-R", "--yes", "--keep-data"]):
        done = platform.invoke("down", *flags)
        assert "nothing was changed" in done.stdout
        assert "google_compute_instance.kestra" in done.stdout
    assert (
        json.loads(platform.invoke("status", "--json").stdout)["stack"]
        == (json.loads(before)["stack"])
    )
    assert platform.invoke("up", "--dry").stdout.startswith("plan: ")


def test_every_table_fits_eighty_columns(platform, own_flow, publish):
    publish("2021-07", "2021-07")
    platform.invoke("backfill", "--start", "2021-07", "--end", "2021-07")
    asked = [
        ["status"],
        ["plan"],
        ["down", "--dry-run"],
        ["executions"],
        ["verify", "--start", "2021-07", "--end", "2021-07"],
        ["backfill", "--start", "2021-01", "--end", "2021-03", "--dry-run"],
        ["deploy-flows", "--source", "sample", "--dry-run"],
    ]
    for line in asked:
        done = platform.invoke(*line, COLUMNS="80")
        table = [text for text in done.stdout.splitlines() if "  " in text and ": " not in text]
        assert [text for text in table if len(text) > 80] == [], line
        rows = [text for text in table if "…" in text]
        assert len(rows) == len(set(rows)), line
