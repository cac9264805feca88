"""Commands at once on one stack: nothing is lost or done twice, and who waits says for whom."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest
from tests.faults.stack import Stack, load

from taxistack.backfill.executions import Executions

FAMILY = "Commands at once"
COMMANDS = ("up", "deploy-flows", "backfill", "verify", "stop", "start")


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


@pytest.mark.faults_all
@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair, id="+".join(pair))
        for pair in combinations_with_replacement(COMMANDS, 2)
        if pair != ("backfill", "backfill")
    ],
)
def test_pairs(own_stack: Stack, own_months, fault, pair):
    lines = {"backfill": load(own_months)}
    with fault(FAMILY, "at once", " and ".join(pair)) as clock:
        both = [own_stack.begin(*lines.get(name, (name,))) for name in pair]
        for one in both:
            said, _ = one.communicate(timeout=400)
            assert "Traceback" not in said
            assert one.returncode in (0, 1, 3, 4), said
            assert one.returncode == 0 or "error: " in said, said
        clock.struck()
        own_stack.again("up")
        own_stack.run("start")
        own_stack.run("deploy-flows")
        own_stack.run(*load(own_months))
        clock.recovered()
        own_stack.whole(own_months)
        own_stack.tidy()
