"""Alarms and retention on the whole platform: what failed is told, what is old is deleted."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import time

import httpx
import pytest

from localcloud.kestra.runtime import Build, java
from taxi_etl.month import Month
from taxistack.backfill import Request, plan_backfill

PLANTED = 5_000
# Months of 2016, which no other test loads.
ASKED = Request(Month(2016, 1), Month(2016, 3), ("green",), ("postgres",))


class Channel:
    """A webhook that keeps what is posted to it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        channel = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                channel.told.append(json.loads(body)["text"])
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def wait(self, *words: str, seconds: float = 60) -> str:
        """The first post with all of these words."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            for text in self.told:
                if all(word in text for word in words):
                    return text
            time.sleep(0.1)
        raise AssertionError(f"nobody told of {words}: {self.told}")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def channel():
    """A webhook."""
    made = Channel()
    yield made
    made.close()


@pytest.fixture
def told(platform, channel):
    """The platform's alarms go to the webhook: the secret's place is taken by a flow's text."""
    client = platform.target.kestra()
    flow = client.flows.get("taxi", "alarm")["source"]
    there = flow.replace("{{ secret('ALARM_WEBHOOK') }}", channel.url)
    assert there != flow
    client.flows.update("taxi", "alarm", there)
    client.kv.put("taxi", "alarm_channel", "webhook")
    yield channel
    client.flows.update("taxi", "alarm", flow)
    client.kv.put("taxi", "alarm_channel", "")


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


def test_a_tick_that_never_came_is_told_once(platform, told):
    client = platform.target.kestra()

    def look(month: str) -> None:
        inputs = {"month": month}
        run = client.executions.create("taxi", "alarm_watch", inputs=inputs, wait=True, timeout=90)
        assert run.state == "SUCCESS"

    look("2031-01")  # the first look: nothing could have come before it
    assert told.told == []
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
    """Requests and bytes of a plan, of what Kestra is asked."""
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
    finally:
        client._http._client.event_hooks = {"response": []}
    return requests, size


def plant(platform, execution: str, number: int) -> None:
    """Copy an execution in the engine's database, into years long past."""
    cloud = platform.target.cloud
    build = Build(cloud.cache)
    with cloud.standing_still() as engine:
        url = f"jdbc:h2:file:{engine.folder / 'db'};TIME ZONE=UTC;CASE_INSENSITIVE_IDENTIFIERS=TRUE"
        sql = engine.folder / "plant.sql"
        sql.write_text(
            "INSERT INTO executions(key, value) SELECT 'planted' || x, REPLACE(REPLACE(value,"
            f" '{execution}', 'planted' || x), '2026-', '2016-')"
            f" FROM executions, SYSTEM_RANGE(1, {number}) WHERE key = '{execution}';\n"
            "INSERT INTO logs(key, value) SELECT 'planted' || x || key, REPLACE(REPLACE(value,"
            f" '{execution}', 'planted' || x), '2026-', '2016-')"
            f" FROM logs, SYSTEM_RANGE(1, {number}) WHERE value LIKE '%{execution}%';\n"
        )
        try:
            subprocess.run(
                [str(java()), "-cp", build.class_path(), "org.h2.tools.RunScript", "-url", url,
                 "-user", "sa", "-script", str(sql)],
                check=True,
                capture_output=True,
            )  # fmt: skip
        finally:
            sql.unlink()
    platform.target.forget()
    platform.target.wait_for_kestra()


def test_five_thousand_executions_cost_a_plan_nothing_and_are_deleted(platform):
    client = platform.target.kestra()
    run = client.executions.create("taxi", "hello_world", wait=True, timeout=60)
    before = counted(platform)
    plant(platform, run.id, PLANTED)
    client = platform.target.kestra()
    answer = client._http.json("main/executions/search", "count", [("page", "1"), ("size", "1")])
    assert answer["total"] > PLANTED
    requests, size = counted(platform)
    assert requests == before[0]
    assert size <= before[1] * 1.1
    size_full = database(platform)
    purge = client.executions.create("taxi", "retention", inputs={"days": 1000})
    assert client.executions.wait(purge.id, 300).state == "SUCCESS"
    assert int(client.outputs.flow(purge.id)["executions"]) == PLANTED
    answer = client._http.json("main/executions/search", "count", [("page", "1"), ("size", "1")])
    assert answer["total"] < PLANTED
    assert not client.logs("planted1")
    assert database(platform) <= size_full * 1.5


def database(platform) -> int:
    """Bytes of the engine's database."""
    return sum(p.stat().st_size for p in platform.target.cloud.layout.data("kestra").glob("db*"))
