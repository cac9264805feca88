"""Commands at once on one stack: nothing is lost or done twice, and who waits says for whom."""

from __future__ import annotations

import os
import time
from itertools import islice

import pytest
from tests.faults.stack import Stack, load, span

from taxi_etl.month import Month
from taxistack.backfill.executions import Executions

FAMILY = "Commands at once"
# What changes nothing can't disturb another that changes nothing: of `verify`, `plan`, `status`,
# `logs` and the like `verify` stands for all, as it reads from every part.
PAIRS = (
    ("up", "up"), ("up", "deploy-flows"), ("up", "backfill"), ("up", "verify"), ("up", "stop"),
    ("up", "start"), ("up", "backup"), ("up", "down"),
    ("deploy-flows", "deploy-flows"), ("deploy-flows", "backfill"), ("deploy-flows", "repair"),
    ("deploy-flows", "stop"), ("deploy-flows", "backup"), ("deploy-flows", "down"),
    ("backfill", "repair"), ("backfill", "verify"), ("backfill", "stop"), ("backfill", "backup"),
    ("backfill", "down"),
    ("repair", "repair"), ("repair", "stop"),
    ("verify", "stop"), ("verify", "down"),
    ("stop", "stop"), ("stop", "start"), ("stop", "backup"), ("stop", "down"),
    ("start", "start"), ("start", "backfill"), ("start", "down"),
    ("backup", "backup"), ("down", "down"),
)  # fmt: skip
CUT = ("deploy-flows", "backfill")
"""CI has time for one of them."""
PAIR_S = 200
"""Patience for each of two; less than the 300 s that a command waits for a server that comes."""
# Three times as many as run at once; a thousand take twenty minutes (docs/reliability.md).
MANY = int(os.environ.get("TAXISTACK_EXECUTIONS", "24"))
MANY_ROWS = 20
MANY_S = 4.0
"""Patience for each of them."""


def test_two_backfills_alike_load_every_month_once(own_stack: Stack, own_months, fault):
    with fault(FAMILY, "twice the same", "backfill") as clock:
        both = [own_stack.begin(*load(own_months)) for _ in range(2)]
        said = [one.communicate(timeout=300)[0] for one in both]
        clock.recovered()
        assert [one.returncode for one in both] == [0, 0], said
        with own_stack.target.kestra() as client:
            ran = Executions(client).runs_of(own_months)
        counts = {cell: len(runs) for cell, runs in ran.items() if cell.taxi == "green"}
        assert set(counts.values()) == {1}, counts
        assert len(counts) == 4
        told = "".join(said)
        assert "is starting a backfill: waiting for it" in told
        assert "attached to backfill" in told or "nothing to do" in told
        own_stack.whole(own_months)
        own_stack.tidy()


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair, id="+".join(pair), marks=() if pair == CUT else pytest.mark.faults_all)
        for pair in PAIRS
    ],
)
def test_pairs(own_stack: Stack, own_months, fault, pair):
    # Where neither loads, one month is enough to see that the stack still does.
    months = own_months if {"backfill", "repair"} & set(pair) else own_months[:1]
    lines = {
        "backfill": load(months),
        "verify": ("verify", *span(months)),
        "repair": ("verify", *span(months), "--repair"),
        "down": ("down", "--yes"),
    }
    if "start" in pair:
        own_stack.run("stop")
    with fault(FAMILY, "at once", " and ".join(pair)) as clock:
        both = [own_stack.begin(*lines.get(name, (name,))) for name in pair]
        for one in both:
            said, _ = one.communicate(timeout=PAIR_S)
            assert "Traceback" not in said, said
            assert one.returncode in (0, 1, 3, 4), said
            assert one.returncode == 0 or "error: " in said, said
        clock.struck()
        _mend(own_stack, pair)
        own_stack.run(*load(months))
        clock.recovered()
        own_stack.whole(months)
        own_stack.tidy()


def _mend(stack: Stack, pair: tuple[str, str]) -> None:
    """What a user does after the two: bring back what they have taken away."""
    if "down" in pair:
        stack.again("up")
        stack.run("deploy-flows", "--source", str(stack.releases))
    elif "up" in pair:
        stack.again("up")
    elif {"stop", "start"} & set(pair):
        stack.run("start")
    elif "deploy-flows" in pair:
        assert "created" not in stack.run("deploy-flows").splitlines()[-1]


@pytest.mark.faults_all
def test_many_executions_at_once(own_stack: Stack, fault):
    """Months of few rows into both destinations, eight at a time."""
    months = list(islice(Month.range(Month(2200, 1), Month(2299, 12)), MANY // 2))
    own_stack.publish(months, MANY_ROWS)
    with fault(FAMILY, f"{2 * len(months)} executions, 8 at a time", "backfill") as clock:
        began = time.monotonic()
        said = own_stack.run(*load(months), "--parallel", "8", patience=MANY * MANY_S)
        clock.measured = f"{2 * len(months) / (time.monotonic() - began):.1f} a second"
        assert f"{2 * len(months):,} months loaded" in said
        with own_stack.target.kestra() as client:
            ran = Executions(client).runs_of(months)
        assert {len(runs) for runs in ran.values()} == {1}
        assert len(ran) == 2 * len(months)
        own_stack.whole(months, MANY_ROWS)
        own_stack.tidy()
