"""Commands and parts that are ended in the middle: the same command again gives the same end.

No hook in the product tells where a command is: its lines do, or what is seen from outside.
"""

from __future__ import annotations

import signal
import time

import httpx
import pytest
from tests.families import told
from tests.faults.conftest import months_of_their_own
from tests.faults.stack import ENGINE, Stack, eventually, load, span

from taxi_etl.month import Month
from taxistack.kestra import KestraError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
FAMILY = "Commands that are ended in the middle"
PARTS = "Parts that die or stand still in the middle of a load"


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
            if client.kv.get("taxi", "bucket") is None:
                return False
        except (KestraError, httpx.HTTPError):
            return False
        client.close()
        return True

    return written


def each(*full: signal.Signals, cut: signal.Signals) -> list:
    """Every signal; CI has time for one."""
    return [
        pytest.param(one, id=one.name, marks=() if one == cut else pytest.mark.faults_all)
        for one in full
    ]


@pytest.mark.parametrize("number", each(*SIGNALS, cut=signal.SIGKILL))
def test_deploy_flows(own_stack, fault, number):
    with fault(FAMILY, number.name, "deploy-flows, settings are written") as clock:
        struck = own_stack.strike(number, a_pair_is_written_again(own_stack), "deploy-flows")
        clock.struck()
        own_stack.run("deploy-flows")
        clock.recovered()
        assert "created" not in own_stack.run("deploy-flows").splitlines()[-1], struck.said
        own_stack.tidy()


@pytest.mark.parametrize("number", each(*SIGNALS, cut=signal.SIGKILL))
def test_backfill(own_stack, fault, own_months, number):
    with fault(FAMILY, number.name, "backfill, a step runs") as clock:
        own_stack.strike(number, a_step_runs(own_stack), *load(own_months))
        clock.struck()
        own_stack.run(*load(own_months))
        clock.recovered()
        own_stack.whole(own_months)
        own_stack.tidy()


@pytest.fixture(scope="module")
def loaded(own_stack: Stack) -> list[Month]:
    """Months that nothing below loads again."""
    months = months_of_their_own(own_stack)
    own_stack.run(*load(months))
    return months


@pytest.mark.faults_all
@pytest.mark.parametrize("number", SIGNALS)
def test_verify(own_stack, fault, loaded, number):
    asked = ("verify", *span(loaded))
    with fault(FAMILY, number.name, "verify, it compares") as clock:
        own_stack.strike(number, "comparing with", *asked)
        clock.struck()
        own_stack.whole(loaded)
        clock.recovered()
        own_stack.tidy()


@pytest.mark.faults_all
@pytest.mark.parametrize("number", SIGNALS)
def test_stop_and_start(own_stack, fault, loaded, number):
    with fault(FAMILY, number.name, "stop, the engine has ended") as clock:
        own_stack.strike(number, the_engine_is_gone(own_stack), "stop")
        clock.struck()
        own_stack.run("stop")
        clock.recovered()
        assert own_stack.family() == []
    with fault(FAMILY, number.name, "start, the engine begins") as clock:
        own_stack.strike(number, the_engine_is_there(own_stack), "start")
        clock.struck()
        own_stack.run("start")
        clock.recovered()
        own_stack.whole(loaded)
        own_stack.tidy()


# CI has time for one of them.
CUT = {("step", "SIGKILL")}
PLACES = ("storage", "warehouse", "postgres", "google", "releases", "kestra", "supervisor", "step")
FOR_GOOD = ("kestra", "SIGSTOP for good")
"""Who answers no more is ended after a minute, by who started it."""


@pytest.mark.parametrize(
    ("place", "what"),
    [
        *(
            pytest.param(place, what, marks=() if (place, what) in CUT else pytest.mark.faults_all)
            for place in PLACES
            for what in ("SIGKILL", "SIGSTOP 20 s")
        ),
        pytest.param(*FOR_GOOD, marks=pytest.mark.faults_all),
    ],
)
def test_parts(own_stack, fault, own_months, place, what):
    """The load ends well, or fails clearly and the next one does; then all is as undisturbed."""
    with fault(PARTS, what, place) as clock, own_stack.begin(*load(own_months)) as command:
        try:
            eventually(a_step_runs(own_stack))
            victim = own_stack.steps()[0] if place == "step" else own_stack.part(place)
            _do(victim, what)
            clock.struck()
            said, _ = command.communicate(timeout=400)
        finally:
            command.kill()
        assert "Traceback" not in said, said
        assert command.returncode in (0, 1), said
        if place == "supervisor" and what == "SIGKILL":
            own_stack.run("start")
        own_stack.run(*load(own_months))
        own_stack.whole(own_months)
        clock.recovered()
        own_stack.tidy()


def _do(victim, what: str) -> None:
    if what == "SIGKILL":
        victim.kill()
        return
    victim.suspend()
    if what != FOR_GOOD[1]:
        time.sleep(20)
        victim.resume()
