"""`up` and `down` that are ended in the middle, on a stack of each case's own."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from tests.faults.stack import Stack

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
FAMILY = "Commands that are ended in the middle"
# Of each step a line of `up` and one of `down`.
CYCLES = {
    "the first resources": (r"created google_project_service", r"destroyed .*iam_member"),
    "the instance": (r"created .*secret_version", r"destroyed .*secret_version"),
    "the last resource": (r"created .*heartbeat", r"destroyed google_project_service"),
}


@pytest.fixture
def stack(tmp_path) -> Iterator[Stack]:
    """A stack of the case's own, that is gone whatever fails."""
    made = Stack(tmp_path)
    yield made
    if made.state.exists():
        made.again("down", "--yes")


@pytest.mark.faults_all
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("step", CYCLES)
def test_up_and_down(stack, fault, step, number):
    created, destroyed = CYCLES[step]
    with fault(FAMILY, number.name, f"up, {step}") as clock:
        stack.strike(number, created, "up")
        clock.struck()
        stack.again("up")  # it ends by planning again, and that plan is empty
        clock.recovered()
        stack.tidy()
    with fault(FAMILY, number.name, f"down, {step}") as clock:
        stack.strike(number, destroyed, "down", "--yes")
        clock.struck()
        stack.again("down", "--yes")
        clock.recovered()
        stack.gone()
