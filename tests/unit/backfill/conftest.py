"""Builders of what the backfill reads: ledger rows, runs, source files."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxistack.backfill.state import Cell, Run, RunState, SourceFile
from taxistack.kestra import KestraClient

NOW = datetime(2026, 10, 25, 12, tzinfo=UTC)


class Make:
    """Builds one thing of a cell with sensible values; every value can be given."""

    now = NOW
    cell = Cell("green", Month(2019, 1), "postgres")

    def load(self, cell: Cell | None = None, **values: object) -> Entry:
        """A ledger row, loaded two hours ago."""
        cell = cell or self.cell
        fields = {
            "taxi": cell.taxi,
            "month": cell.month,
            "source_url": f"http://site/{cell.taxi}/{cell.taxi}_tripdata_{cell.month}.csv.gz",
            "etag": '"a"',
            "source_bytes": 1000,
            "csv_bytes": 5000,
            "sha256": "00" * 32,
            "crc32c": "AAAAAA==",
            "rows": 100,
            "total_amount": Decimal("1234.50"),
            "object": f"gs://lake/raw/{cell.taxi}/{cell.taxi}_tripdata_{cell.month}.csv.gz",
            "generation": 1,
            "job_id": "job",
            "execution_id": "old",
            "started_at": NOW - timedelta(hours=2, seconds=10),
            "loaded_at": NOW - timedelta(hours=2),
        }
        return Entry(**{**fields, **values})

    def run(
        self, state: RunState = RunState.SUCCESS, minutes_ago: float = 60, **values: object
    ) -> Run:
        """A run that started so many minutes ago and was heard of a minute later."""
        started = NOW - timedelta(minutes=minutes_ago)
        fields = {
            "id": f"run-{minutes_ago}",
            "cell": self.cell,
            "state": state,
            "started": started,
            "heard": started + timedelta(minutes=1),
        }
        return Run(**{**fields, **values})

    def source(self, published: bool | None = True, **values: object) -> SourceFile:
        """The source file of the usual cell, equal to the usual load."""
        fields = {"length": 1000, "etag": '"a"'} if published else {}
        url = f"http://site/{self.cell.taxi}/file.csv.gz"
        return SourceFile(self.cell.taxi, self.cell.month, url, published, **{**fields, **values})


@pytest.fixture(scope="session")
def make() -> Make:
    """Builders with sensible values."""
    return Make()


class FakeKestra:
    """Kestra's REST face as far as a backfill sees it, over httpx.MockTransport.

    Every read of a backfill's execution moves it on: `parallel` of its months end, as `ends`
    says (SUCCESS unless told otherwise). `lose`: months that never get an execution. `log_lag`:
    how many reads of a log do not see the flow's last line yet. `kill_takes`: how many reads of
    executions that were killed still find them ending.
    """

    def __init__(self) -> None:
        self.executions: dict[str, dict] = {}
        self.ends: dict[str, str] = {}
        self.lose: set[str] = set()
        self.killed: list[str] = []
        self.kill_takes = 0
        self.inputs: list[dict] = []
        self.log_lag = 0
        self.on_read = lambda: None
        self.sent = 0
        """Answers to searches, and the executions in them."""
        self.sent_executions = 0
        self.refuses_starts = self.loses_answers = False

    def client(self) -> KestraClient:
        transport = httpx.MockTransport(self._answer)
        return KestraClient("http://kestra", "a@b.c", "Secret12", transport, retry_wait=0)

    def add(self, flow: str, state: str, labels: dict, minutes_ago: float = 0, **more) -> str:
        found = f"exec{len(self.executions) + 1}"
        moment = (datetime.now(UTC) - timedelta(minutes=minutes_ago)).isoformat()
        self.executions[found] = {
            "id": found,
            "namespace": "taxi",
            "flowId": flow,
            "labels": [{"key": key, "value": value} for key, value in labels.items()],
            "state": {
                "current": state,
                "startDate": moment,
                "histories": [{"state": state, "date": moment}],
            },
            **more,
        }
        return found

    def month(self, cell: Cell, state: str, backfill: str = "manual", **more) -> str:
        labels = {
            "taxi": cell.taxi,
            "month": str(cell.month),
            "destination": cell.destination,
            "backfill": backfill,
        }
        return self.add(f"taxi_to_{cell.destination}", state, labels, **more)

    def backfill(self, cells: list[Cell], name: str = "bf-live", **more) -> str:
        months = [
            {"taxi": c.taxi, "month": str(c.month), "destination": c.destination} for c in cells
        ]
        inputs = {"months": months, "backfill": name, "parallel": 2, **more.pop("inputs", {})}
        return self.add("taxi_backfill", "RUNNING", {"backfill": name}, inputs=inputs, **more)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1/")
        if path == "configs":
            return httpx.Response(200, json={"version": "2.0.0"})
        if path == "main/executions/search":
            return self._search(dict(request.url.params.multi_items()))
        if path == "main/executions/taxi/taxi_backfill":
            return self._create(request)
        kind, name = path.removeprefix("main/").split("/")[0], path.split("/")[-1]
        if path.endswith("/actions/kill"):
            return self._kill(path.split("/")[2])
        if kind == "logs":
            return httpx.Response(200, json=self._log())
        if kind == "outputs":
            return httpx.Response(200, json={"rows": "100"})
        if name not in self.executions:
            return httpx.Response(404, json={"title": "Not found"})
        self._move(self.executions[name])
        return httpx.Response(200, json=self.executions[name])

    def _log(self) -> list[dict[str, str]]:
        engines = {"level": "ERROR", "taskId": "extract", "message": "Command failed with code 1"}
        last = {
            "level": "ERROR",
            "taskId": "failed",
            "message": "green 2019-01 → postgres failed: short row 17",
        }
        self.log_lag -= 1
        return [engines] if self.log_lag >= 0 else [engines, last]

    def _search(self, params: dict[str, str]) -> httpx.Response:
        found = [one for one in self.executions.values()
                 if one["flowId"] == params["filters[flowId][EQUALS]"]]  # fmt: skip
        if states := params.get("filters[state][IN]"):
            found = [one for one in found if one["state"]["current"] in states.split(",")]
        for key in ("backfill", "month"):
            if value := params.get(f"filters[labels][EQUALS][{key}]"):
                found = [one for one in found if {"key": key, "value": value} in one["labels"]]
        if since := params.get("filters[startDate][GREATER_THAN_OR_EQUAL_TO]"):
            moment = datetime.fromisoformat(since)
            found = [one for one in found if datetime.fromisoformat(_started(one)) >= moment]
        size = int(params["size"])
        begin = (int(params["page"]) - 1) * size
        page = sorted(found, key=_started, reverse=True)[begin : begin + size]
        self.sent += 1
        self.sent_executions += len(page)
        return httpx.Response(200, json={"results": page, "total": len(found)})

    def _create(self, request: httpx.Request) -> httpx.Response:
        text = request.read().decode()
        parts = dict(re.findall(r'name="(\w+)"\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', text, re.S))
        inputs = {
            **parts,
            "months": json.loads(parts["months"]),
            "parallel": int(parts["parallel"]),
        }
        self.inputs.append(inputs)
        if self.refuses_starts:
            raise httpx.ConnectError("refused")
        name = self.add("taxi_backfill", "RUNNING", {"backfill": parts["backfill"]}, inputs=inputs)
        if self.loses_answers:
            raise httpx.RemoteProtocolError("peer closed connection")
        return httpx.Response(200, json=self.executions[name])

    def _kill(self, name: str) -> httpx.Response:
        self.killed.append(name)
        if self.executions[name]["state"]["current"] in ("RUNNING", "CREATED"):
            self.executions[name]["state"]["current"] = "KILLING"
            self._move(self.executions[name])
        return httpx.Response(200, json=self.executions[name])

    def _move(self, execution: dict) -> None:
        if execution["state"]["current"] == "KILLING":
            self.kill_takes -= 1
            if self.kill_takes < 0:
                self.end(execution["id"], "KILLED")
            return
        if execution["flowId"] != "taxi_backfill" or execution["state"]["current"] != "RUNNING":
            return
        self.on_read()
        inputs = execution["inputs"]
        todo = [one for one in inputs["months"] if not self._ran(one, inputs["backfill"])
                and one["month"] not in self.lose]  # fmt: skip
        for one in todo[: inputs["parallel"]]:
            cell = Cell(one["taxi"], Month.parse(one["month"]), one["destination"])
            name = self.month(cell, "RUNNING", inputs["backfill"])
            self.end(name, self.ends.get(one["month"], "SUCCESS"))
        if not todo:
            self.end(execution["id"], "SUCCESS")

    def _ran(self, one: dict, backfill: str) -> bool:
        wanted = {**one, "backfill": backfill}
        return any(
            {label["key"]: label["value"] for label in found["labels"]} == wanted
            for found in self.executions.values()
        )

    def end(self, name: str, state: str) -> None:
        execution = self.executions[name]
        moment = datetime.now(UTC).isoformat()
        execution["state"]["current"] = state
        execution["state"]["endDate"] = moment
        execution["state"]["histories"].append({"state": state, "date": moment})


def _started(execution: dict) -> str:
    return execution["state"]["startDate"]


class FakeContext:
    """A target whose only part is Kestra."""

    source = "http://site"
    source_words = "http://site"
    serves_samples = False
    stopped = False

    def __init__(self, kestra: FakeKestra) -> None:
        self._kestra = kestra

    def was_stopped(self) -> bool:
        return self.stopped

    def kestra(self) -> KestraClient:
        return self._kestra.client()


@pytest.fixture
def kestra() -> FakeKestra:
    """An empty Kestra."""
    return FakeKestra()


@pytest.fixture
def context(kestra: FakeKestra) -> FakeContext:
    """A target with that Kestra."""
    return FakeContext(kestra)
