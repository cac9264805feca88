"""Commands and parts that are ended in the middle: the same command again gives the same end.

No hook in the product tells where a command is: its lines do, or what is seen from outside.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.families import told
from tests.faults.stack import ENGINE, Stack

from taxi_etl.month import Month
from taxistack.kestra import KestraError

ROWS = 3_000
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
FAMILY = "Commands that are ended in the middle"
PARTS = "Parts that die or stand still in the middle of a load"


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Stack]:
    """A stack whose flows load from a folder of its own."""
    made = Stack(tmp_path_factory.mktemp("killed"))
    try:
        made.run("up")
        made.run("deploy-flows", "--source", str(made.releases))
        yield made
    finally:
        made.run("down", "--yes")
        made.gone()


_years = iter(range(2009, 2100))


@pytest.fixture
def months(stack: Stack) -> list[Month]:
    """Two months of their own."""
    year = next(_years)
    found = [Month(year, 1), Month(year, 2)]
    stack.publish(found, ROWS)
    return found


def load(months: list[Month], *more: str) -> tuple[str, ...]:
    """The command that loads them."""
    return (
        "backfill", "--start", str(months[0]), "--end", str(months[-1]), "--taxi", "green",
        "--only", "missing,failed", *more,
    )  # fmt: skip


def a_step_runs(stack: Stack):
    return lambda: bool(stack.steps())


def the_engine_is_gone(stack: Stack):
    return lambda: not told(stack.family(), ENGINE)


def the_engine_is_there(stack: Stack):
    return lambda: bool(told(stack.family(), ENGINE))


def a_pair_is_written_again(stack: Stack):
    """Something to deploy, first; the settings are written before the flows."""
    client = stack.target.kestra()
    client.kv.delete("taxi", "bucket")
    client.flows.delete("taxi", "hello_world")

    def written() -> bool:
        try:
            return client.kv.get("taxi", "bucket") is not None
        except (KestraError, httpx.HTTPError):
            return False

    return written


def each(*full: signal.Signals, cut: signal.Signals) -> list:
    """Every signal; CI has time for one."""
    return [
        pytest.param(one, id=one.name, marks=() if one == cut else pytest.mark.faults_all)
        for one in full
    ]


@pytest.mark.parametrize("number", each(*SIGNALS, cut=signal.SIGKILL))
def test_deploy_flows(stack, fault, number):
    with fault(FAMILY, number.name, "deploy-flows, settings are written") as clock:
        struck = stack.strike(number, a_pair_is_written_again(stack), "deploy-flows")
        clock.struck()
        stack.run("deploy-flows")
        clock.recovered()
        assert "created" not in stack.run("deploy-flows").splitlines()[-1], struck.said
        stack.tidy()


@pytest.mark.parametrize("number", each(*SIGNALS, cut=signal.SIGKILL))
def test_backfill(stack, fault, months, number):
    with fault(FAMILY, number.name, "backfill, a step runs") as clock:
        stack.strike(number, a_step_runs(stack), *load(months))
        clock.struck()
        stack.run(*load(months))
        clock.recovered()
        stack.whole(months, ROWS)
        stack.tidy()


@pytest.mark.faults_all
@pytest.mark.parametrize("number", SIGNALS)
def test_verify(stack, fault, months, number):
    stack.run(*load(months))
    asked = ("verify", "--start", str(months[0]), "--end", str(months[-1]), "--taxi", "green")
    with fault(FAMILY, number.name, "verify, it compares") as clock:
        stack.strike(number, "comparing with", *asked)
        clock.struck()
        stack.whole(months, ROWS)
        clock.recovered()
        stack.tidy()


@pytest.mark.parametrize("number", each(*SIGNALS, cut=signal.SIGKILL))
def test_stop_and_start(stack, fault, months, number):
    stack.run(*load(months))
    with fault(FAMILY, number.name, "stop, the engine has ended") as clock:
        stack.strike(number, the_engine_is_gone(stack), "stop")
        clock.struck()
        stack.run("stop")
        clock.recovered()
        assert stack.family() == []
    with fault(FAMILY, number.name, "start, the engine begins") as clock:
        stack.strike(number, the_engine_is_there(stack), "start")
        clock.struck()
        stack.run("start")
        clock.recovered()
        stack.whole(months, ROWS)
        stack.tidy()


CYCLES = {
    "the parts begin": (r"google", r"Terraform will"),
    "the first resources": (r"created google_project_service", r"destroyed .*iam_member"),
    "the instance": (r"created .*secret_version", r"destroyed .*secret_version"),
    "the last resource": (r"created .*heartbeat", r"destroyed google_project_service"),
}


@pytest.mark.faults_all
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("step", [name for name in CYCLES if name != "the parts begin"])
def test_up_and_down(tmp_path, fault, step, number):
    stack = Stack(tmp_path)
    created, destroyed = CYCLES[step]
    with fault(FAMILY, number.name, f"up, {step}") as clock:
        stack.strike(number, created, "up")
        clock.struck()
        stack.again("up")
        clock.recovered()
        stack.run("plan", "--detailed-exitcode")
        stack.tidy()
    with fault(FAMILY, number.name, f"down, {step}") as clock:
        stack.strike(number, destroyed, "down", "--yes")
        clock.struck()
        stack.again("down", "--yes")
        clock.recovered()
        stack.gone()


# CI has time for two of them.
CUT = {("warehouse", "SIGKILL"), ("step", "SIGKILL")}
PLACES = ("storage", "warehouse", "postgres", "google", "releases", "kestra", "supervisor", "step")


@pytest.mark.parametrize(
    ("place", "what"),
    [
        pytest.param(place, what, marks=() if (place, what) in CUT else pytest.mark.faults_all)
        for place in PLACES
        for what in ("SIGKILL", "SIGSTOP 20 s")
    ],
)
def test_parts(stack, fault, months, place, what):
    """The load ends well, or fails clearly and the next one does; then all is as undisturbed."""
    with fault(PARTS, what, place) as clock, stack.begin(*load(months)) as command:
        try:
            _wait_for(a_step_runs(stack))
            victim = stack.steps()[0] if place == "step" else stack.part(place)
            _do(victim, what)
            clock.struck()
            said, _ = command.communicate(timeout=400)
        finally:
            command.kill()
        assert "Traceback" not in said, said
        assert command.returncode in (0, 1), said
        if place == "supervisor" and what == "SIGKILL":
            stack.run("start")
        stack.run(*load(months))
        stack.whole(months, ROWS)
        clock.recovered()
        stack.tidy()


def _wait_for(there) -> None:
    give_up = time.monotonic() + 60
    while not there():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def _do(victim, what: str) -> None:
    if what == "SIGKILL":
        victim.kill()
        return
    victim.suspend()
    time.sleep(20)
    victim.resume()
