"""A backfill whose command or engine is killed on the way: the rest is done, nothing twice."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.families import told

from localcloud import processes
from localcloud.parts import PARTS
from localcloud.record import Record
from taxi_etl.month import Month
from taxistack.backfill.executions import Executions
from taxistack.backfill.state import Cell
from taxistack.verify import VerifyRequest, verify_months

ROOT = Path(__file__).resolve().parents[2]
ROWS = 90
DESTINATIONS = ("bigquery", "postgres")
ENGINE = "localcloud.kestra.Main"


@dataclass(frozen=True)
class Range:
    """A range of green months of one test, published."""

    start: Month
    end: Month

    @property
    def cells(self) -> set[Cell]:
        """Every cell of the range."""
        months = Month.range(self.start, self.end)
        return {Cell("green", month, where) for month in months for where in DESTINATIONS}

    def arguments(self, *more: str) -> list[str]:
        """The command line of its backfill."""
        return [
            "backfill", "--start", str(self.start), "--end", str(self.end), "--taxi", "green",
            "--parallel", "2", *more,
        ]  # fmt: skip


@pytest.fixture
def published(platform):
    """Put months on the release site and make it the source of the flows."""

    def put(start: str, end: str) -> Range:
        made = Range(Month.parse(start), Month.parse(end))
        for month in Month.range(made.start, made.end):
            platform.publish("green", month, ROWS)
        return made

    return put


class Running:
    """A backfill command at work, read line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Read on until a line matches."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if found := re.search(pattern, line):
                return found
        pytest.fail(f"the command ended without a line like {pattern!r}:\n{self.said}")

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        self.said += self.process.stderr.read()
        return self.process.wait(timeout=60)


@contextmanager
def started(platform, *arguments: str) -> Iterator[Running]:
    """A command that is watched; it ends with the test."""
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments], cwd=ROOT,
        env={**os.environ, "INVOKE_TAXISTACK_STATE": str(platform.state)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield Running(process)
        finally:
            process.kill()


def ledger_rows(platform, asked: Range) -> Counter[Cell]:
    """How many ledger rows each cell has: one for each load that ever finished."""
    months = f"taxi = 'green' AND month BETWEEN DATE '{asked.start}-01' AND DATE '{asked.end}-01'"
    statement = f"SELECT CAST(month AS {{}}) FROM {{}}loads WHERE {months}"
    with platform.context.postgres() as connection:
        found = [(row[0], "postgres") for row in connection.execute(statement.format("text", ""))]
    outputs = platform.context.outputs
    statement = statement.format("STRING", f"`{outputs.project}`.{outputs.dataset}.")
    job = platform.context.bigquery().query(statement, location=outputs.location)
    found += [(row[0], "bigquery") for row in job.result()]
    return Counter(Cell("green", Month.parse(month), where) for month, where in found)


def executions_of(platform, asked: Range) -> Counter[Cell]:
    """How many executions each cell had."""
    ran = Executions(platform.context.kestra()).runs_of(cell.month for cell in asked.cells)
    return Counter({cell: len(runs) for cell, runs in ran.items() if cell in asked.cells})


def assert_whole(platform, asked: Range) -> None:
    """Every month is loaded and equal to its source, in both destinations."""
    request = VerifyRequest.parse(str(asked.start), str(asked.end), taxi="green")
    found = verify_months(platform.context, request)
    assert found.exit_code == 0, [str(one) for check in found.wrong for one in check.differences]
    assert {check.cell for check in found.proven} == asked.cells
    assert {check.known.table.rows for check in found.checks} == {ROWS}


def assert_nothing_twice(platform, asked: Range) -> None:
    assert ledger_rows(platform, asked) == Counter(asked.cells)
    assert executions_of(platform, asked) == Counter(asked.cells)


def test_a_killed_command_run_again_attaches_and_loads_nothing_twice(platform, published):
    asked = published("2012-01", "2012-03")
    with started(platform, *asked.arguments()) as first:
        name = first.until(r"^backfill (bf-\S+):").group(1)
        first.until(r"^\[2/6\]")
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
    again = platform.invoke(*asked.arguments("--json"))
    result = json.loads(again.stdout)
    if result["backfills"]:  # a quick machine may have finished meanwhile
        assert result["backfills"] == [name]
        assert f"attached to backfill {name}" in again.stderr
    assert result["failed"] == result["not_done"] == []
    assert_whole(platform, asked)
    assert_nothing_twice(platform, asked)
    assert "nothing to do" in platform.invoke(*asked.arguments()).stdout


def test_what_a_killed_command_left_is_finished_later(platform, published):
    """Its backfill went on to its end without it: the next command has nothing left to do."""
    asked = published("2012-04", "2012-05")
    with started(platform, *asked.arguments()) as first:
        execution = first.until(r"^backfill bf-\S+: 4 months, execution (\S+)").group(1)
        first.end(signal.SIGKILL)
    ended = platform.context.kestra().executions.wait(execution, timeout=120)
    assert ended.state == "SUCCESS"
    result = json.loads(platform.invoke(*asked.arguments("--json")).stdout)
    assert result["outcome"] == "nothing to do"
    assert_whole(platform, asked)
    assert_nothing_twice(platform, asked)


def test_a_wider_range_does_the_rest_only(platform, published):
    asked, wider = published("2012-07", "2012-08"), published("2012-07", "2012-09")
    with started(platform, *asked.arguments()) as first:
        first.until(r"^\[1/4\]")
        first.end(signal.SIGKILL)
    platform.invoke(*wider.arguments())
    assert_whole(platform, wider)
    assert_nothing_twice(platform, wider)


def test_an_interrupt_without_a_terminal_leaves_it_running_and_says_how_to_attach(
    platform, published
):
    asked = published("2013-01", "2013-03")
    with started(platform, *asked.arguments("--only", "missing,failed")) as first:
        name = first.until(r"^backfill (bf-\S+):").group(1)
        first.until(r"^\[1/6\]")
        assert first.end(signal.SIGINT) == 1
    told = re.search(r"^The backfill goes on in Kestra\..*: invoke (.*)$", first.said, re.M)
    assert told, first.said
    assert "left running" in first.said
    live = Executions(platform.context.kestra()).live_backfills()
    assert name in {one.backfill for one in live}
    # What it says is taken at its word: it names the same months and no others.
    again = json.loads(platform.invoke(*told.group(1).split(), "--json").stdout)
    if again["backfills"]:
        assert again["backfills"] == [name]
    assert_whole(platform, asked)
    assert_nothing_twice(platform, asked)
    year = Month.range(Month(2013, 1), Month(2013, 12))
    others = Executions(platform.context.kestra()).runs_of(year)
    assert not [one for one in others if one.taxi == "yellow"]


@contextmanager
def on_a_terminal(platform, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command whose three streams are a terminal, and that terminal's other end."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "INVOKE_TAXISTACK_STATE": str(platform.state), "TERM": "xterm"}
    environment.pop("CI", None)
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments], cwd=ROOT, env=environment,
            stdin=theirs, stdout=theirs, stderr=theirs,
        ) as process:  # fmt: skip
            os.close(theirs)
            try:
                yield process, ours
            finally:
                process.kill()
    finally:
        os.close(ours)


def read_until(terminal: int, words: str) -> str:
    """What the terminal shows until these words come, or the command closes it."""
    shown = ""
    while words not in shown:
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # Linux's way to say that nobody holds the other end
            break
    return shown


@pytest.mark.parametrize(
    ("month", "answer", "told", "code"),
    [("2014-09", b"c", "cancelled", 1), ("2014-11", b"", "left running", 0)],
)
def test_ctrl_c_on_a_terminal_offers_to_leave_or_to_cancel_and_both_are_safe(
    platform, published, month, answer, told, code
):
    asked = published(month, str(Month.parse(month).next()))
    with on_a_terminal(platform, *asked.arguments()) as (process, terminal):
        assert "[1/4]" in read_until(terminal, "[1/4]")
        process.send_signal(signal.SIGINT)
        assert "[L]eave, [c]ancel" in read_until(terminal, "[c]ancel: ")
        os.write(terminal, answer + b"\n")
        assert told in read_until(terminal, "until it closes")
        assert process.wait(timeout=60) == code
    live = [one for one in Executions(platform.context.kestra()).live_backfills()
            if one.cells & asked.cells]  # fmt: skip
    if answer:
        assert live == []
    platform.invoke(*asked.arguments())
    assert_whole(platform, asked)
    assert ledger_rows(platform, asked) == Counter(asked.cells)


def engine_of(platform) -> psutil.Process:
    """The engine's own process, below the launcher that the supervisor knows."""
    (launcher,) = [part.pid for part in platform.target.cloud.status() if part.name == "kestra"]
    family = psutil.Process(launcher).children(recursive=True)
    (engine,) = told(family, ENGINE)
    return engine


def kill_the_engine(platform) -> None:
    engine = engine_of(platform)
    engine.kill()
    psutil.wait_procs([engine], timeout=10)
    assert not engine.is_running()


def test_an_engine_that_is_killed_on_the_way_is_healed_and_the_command_goes_on(platform, published):
    asked = published("2013-05", "2013-07")
    with started(platform, *asked.arguments()) as watching:
        watching.until(r"^\[2/6\]")
        kill_the_engine(platform)
        watching.until(r"^Kestra does not answer, waiting: ")
        watching.until(r"^\[6/6\]")
        assert watching.process.wait(timeout=60) == 0
    assert engine_of(platform).is_running()
    assert_whole(platform, asked)


def test_engine_and_command_killed_together_are_finished_by_the_next_command(platform, published):
    asked = published("2013-09", "2013-11")
    with started(platform, *asked.arguments()) as first:
        first.until(r"^\[1/6\]")
        kill_the_engine(platform)
        first.end(signal.SIGKILL)
    platform.target.wait_for_kestra()
    again = platform.invoke(*asked.arguments())
    assert "Traceback" not in again.stderr
    assert_whole(platform, asked)
    done = platform.invoke("verify", "--start", "2013-09", "--end", "2013-11", "--taxi", "green")
    assert "6 months proven equal" in done.stdout


def stop_and_look(platform) -> None:
    """`invoke stop`; what the steps read and write lives for as long as the engine does."""
    engine = engine_of(platform)
    others = [
        psutil.Process(part.pid) for part in platform.target.cloud.status() if part.name != "kestra"
    ]
    with started(platform, "stop") as stopping:
        while engine.is_running():
            gone = [str(other) for other in others if not other.is_running()]
            assert not gone or not engine.is_running(), gone
            time.sleep(0.005)
        assert stopping.process.wait(timeout=60) == 0


def test_stop_in_the_middle_and_start_again_finish_the_rest(platform, published):
    asked = published("2014-05", "2014-07")
    with started(platform, *asked.arguments()) as first:
        first.until(r"^\[1/6\]")
        first.end(signal.SIGTERM)
    stop_and_look(platform)
    platform.invoke("start")
    platform.target.forget()
    platform.target.wait_for_kestra()
    again = platform.invoke(*asked.arguments("--json"))
    assert json.loads(again.stdout)["failed"] == []
    assert_whole(platform, asked)


def test_after_a_power_cut_start_and_the_same_command_finish_the_rest(platform, published):
    """Everything dies at once, as when the machine goes down; months that were loaded stay."""
    asked = published("2014-01", "2014-03")
    cloud = platform.target.cloud
    with started(platform, *asked.arguments()) as first:
        first.until(r"^\[2/6\]")
        family = processes.belonging(Record.load(cloud.layout).id, cloud.layout.run)
        assert len(family) > len(PARTS)
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        first.end(signal.SIGKILL)
    psutil.wait_procs(family, timeout=20)
    assert cloud.state() is None
    loaded = len(re.findall(r"^\[\d/6\].* loaded ", first.said, re.M))
    platform.invoke("start")
    platform.target.forget()
    platform.target.wait_for_kestra()
    assert ledger_rows(platform, asked).total() >= loaded
    again = platform.invoke(*asked.arguments("--json"))
    assert json.loads(again.stdout)["failed"] == []
    assert_whole(platform, asked)
