"""Alarms and retention on the whole platform: what failed is told, what is old is deleted."""

from __future__ import annotations

import json
import subprocess
import time

import httpx
import pytest

from localcloud.kestra.runtime import Build, java
from taxi_etl.month import Month
from taxistack.backfill import Request, plan_backfill
from taxistack.commands.status import _deployed

PLANTED = 5_000
# Months of 2016, which no other test loads.
ASKED = Request(Month(2016, 1), Month(2016, 3), ("green",), ("postgres",))


@pytest.fixture
def told(platform):
    """The webhook that the platform's secret names, with nothing posted to it yet."""
    platform.channel.told.clear()
    return platform.channel


def test_a_month_that_failed_is_told(platform, told):
    client = platform.target.kestra()
    run = client.executions.create(
        "taxi",
        "taxi_to_postgres",
        inputs={"taxi": "green", "month": "2016-05", "source": "http://127.0.0.1:9/none"},
    )
    assert client.executions.wait(run.id, 120).state == "FAILED"
    text = told.wait("failed", "taxi_to_postgres", "green", "2016-05")
    assert run.id in text
    alarms = json.loads(platform.invoke("status", "--json").stdout)["alarms"]
    assert any(one["kind"] == "failed" and run.id in one["text"] for one in alarms)


def test_a_run_that_hangs_is_ended_and_told(platform, told):
    """The rule of the taxi flows with a second for their six hours."""
    client = platform.target.kestra()
    client.flows.create(
        "id: hangs\nnamespace: taxi\nsla:\n  - id: stuck\n    type: MAX_DURATION\n"
        "    duration: PT1S\n    behavior: FAIL\n    labels:\n      alarm: stuck\n"
        "tasks:\n  - id: sleep\n    type: io.kestra.plugin.core.flow.Sleep\n    duration: PT20S\n"
    )
    try:
        run = client.executions.create("taxi", "hangs")
        assert run.id in told.wait("stuck", "hangs")
        assert client.executions.wait(run.id, 60).state == "FAILED"
    finally:
        client.flows.delete("taxi", "hangs")


def test_an_alarm_that_is_killed_on_its_way_begins_again(platform, told):
    """As by the SLA that ends a run: it kills what that end has begun."""
    client = platform.target.kestra()
    labels = {"begun": "by a run", "alarm": "stuck", "what": "killed on its way"}
    told.status = 503
    try:
        first = client.executions.create("taxi", "alarm", labels=labels)
        assert told.refused.acquire(timeout=60)
    finally:
        told.status = 200
    client.executions.kill(first.id)
    assert client.executions.wait(first.id, 60).state == "KILLED"
    told.wait("stuck", labels["what"])
    alarms = client.executions.search(
        namespace="taxi", flow_id="alarm", labels={"what": labels["what"]}
    )
    (second,) = [one.id for one in alarms if one.id != first.id]
    assert client.executions.wait(second, 60).state == "SUCCESS"


def test_a_tick_that_never_came_is_told_once(platform, told):
    client = platform.target.kestra()

    def look(month: str) -> None:
        inputs = {"month": month}
        run = client.executions.create("taxi", "alarm_watch", inputs=inputs, wait=True, timeout=90)
        assert run.state == "SUCCESS"

    look("2031-01")  # the first look: nothing could have come before it
    assert [text for text in told.told if "missed" in text] == []
    for flow in ("taxi_to_bigquery", "taxi_to_postgres"):
        inputs = {"note": f"{flow}.green", "month": "2031-02"}
        client.executions.create("taxi", "alarm_watch", inputs=inputs, wait=True, timeout=60)
    look("2031-02")
    missed = [text for text in told.told if "missed" in text]
    assert sorted(text.split()[2].rstrip(":") for text in missed) == [
        "taxi_to_bigquery.yellow",
        "taxi_to_postgres.yellow",
    ]
    look("2031-02")
    assert [text for text in told.told if "missed" in text] == missed


def counted(platform) -> tuple[int, int]:
    """Requests to Kestra and bytes of its answers: `backfill --dry-run`, then `status`."""
    client = platform.target.kestra()
    requests, size = 0, 0

    def hear(response: httpx.Response) -> None:
        nonlocal requests, size
        response.read()
        requests += 1
        size += len(response.content)

    client._http._client.event_hooks = {"response": [hear]}
    try:
        plan_backfill(platform.target, ASKED, note=False)
        _deployed(platform.target)
    finally:
        client._http._client.event_hooks = {"response": []}
    return requests, size


def plant(platform, execution: str, first: int, last: int) -> None:
    """Copy an execution in the engine's database: as loads of a month of 2012, begun in 2016."""
    cloud = platform.target.cloud
    build = Build(cloud.cache)
    value = f"REPLACE(REPLACE(\"value\", '{execution}', 'planted' || x), '2026-', '2016-')"
    labels = "".join(
        f'{{"key":"{key}","value":"{value_}"}},'
        for key, value_ in (("taxi", "green"), ("month", "2012-01"), ("destination", "postgres"))
    )
    load = (
        f"REPLACE(REPLACE({value}, '\"hello_world\"', '\"taxi_to_postgres\"'),"
        f" '\"labels\":[', '\"labels\":[{labels}')"
    )
    rows = f"SYSTEM_RANGE({first}, {last})"
    with cloud.standing_still() as engine:
        url = f"jdbc:h2:file:{engine.folder / 'db'};TIME ZONE=UTC;CASE_INSENSITIVE_IDENTIFIERS=TRUE"
        sql = engine.folder / "plant.sql"
        sql.write_text(
            f'INSERT INTO executions("key", "value") SELECT \'planted\' || x, {load}'
            f" FROM executions, {rows} WHERE \"key\" = '{execution}';\n"
            f'INSERT INTO logs("key", "value") SELECT \'p\' || x || \'-\' || "key", {value}'
            f" FROM logs, {rows} WHERE \"value\" LIKE '%{execution}%';\n"
        )
        done = subprocess.run(
            [str(java()), "-cp", build.class_path(), "org.h2.tools.RunScript", "-url", url,
             "-user", "sa", "-script", str(sql)],
            check=False,
            capture_output=True,
            text=True,
        )  # fmt: skip
        sql.unlink()
        assert done.returncode == 0, done.stderr
    platform.target.forget()
    platform.target.wait_for_kestra()


def executions(platform) -> int:
    """How many the engine has."""
    http = platform.target.kestra()._http
    return http.json("main/executions/search", "count", [("page", "1"), ("size", "1")])["total"]


def test_five_thousand_executions_cost_a_look_nothing_and_are_deleted(platform):
    client = platform.target.kestra()
    run = client.executions.create("taxi", "hello_world", wait=True, timeout=60)
    plant(platform, run.id, 1, 200)
    few = counted(platform)
    plant(platform, run.id, 201, PLANTED)
    assert executions(platform) > PLANTED
    many = counted(platform)
    assert many[0] == few[0]
    assert many[1] <= few[1] * 1.02
    full = database(platform)
    client = platform.target.kestra()
    purge = client.executions.create("taxi", "retention", inputs={"days": 1000})
    assert client.executions.wait(purge.id, 300).state == "SUCCESS"
    assert int(client.outputs.flow(purge.id)["executions"]) == PLANTED
    assert executions(platform) < PLANTED
    assert client.logs("planted1") == []
    plant(platform, run.id, 1, PLANTED // 5)  # into the room that became free
    again = database(platform)
    purge = platform.target.kestra().executions.create("taxi", "retention", inputs={"days": 1000})
    assert platform.target.kestra().executions.wait(purge.id, 300).state == "SUCCESS"
    assert again <= full * 1.05, (full, again)


def database(platform) -> int:
    """Bytes of the engine's database."""
    return sum(p.stat().st_size for p in platform.target.cloud.layout.data("kestra").glob("db*"))


def test_a_scheduled_run_that_has_ended_is_noted(platform):
    """As a schedule labels it; of a series that has no schedule, so that nothing else notes it."""
    client = platform.target.kestra()
    client.executions.create(
        "taxi",
        "taxi_to_postgres",
        inputs={"taxi": "fhv", "month": "2016-06", "source": "http://127.0.0.1:9/none"},
        labels={"backfill": "schedule", "taxi": "fhv", "month": "2016-06"},
    )
    give_up = time.monotonic() + 120
    while client.kv.get("taxi", "tick.taxi_to_postgres.fhv") is None:
        assert time.monotonic() < give_up, "nobody noted it"
        time.sleep(0.5)
    assert str(client.kv.get("taxi", "tick.taxi_to_postgres.fhv")) == "201606"
