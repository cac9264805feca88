"""Two stacks on one machine: neither sees the other, whatever they have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults.stack import Stack, load

from taxi_etl.month import Month

FAMILY = "Commands at once"
MONTHS = [Month(2017, 1)]
ROWS = (200, 300)


def two_clones(folder: Path) -> list[Stack]:
    made = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        made.append(Stack(folder / name).moved_to_a_clone(folder / name / "clone"))
    return made


def two_names(folder: Path) -> list[Stack]:
    made = []
    for name in ("first", "second"):
        (folder / name).mkdir()
        made.append(Stack(folder / name, name))
    return made


def both(stacks: list[Stack], *arguments: Callable[[Stack], str] | str) -> None:
    """A command on each, at once; both must succeed."""
    begun = [
        one.begin(*(word if isinstance(word, str) else word(one) for word in arguments))
        for one in stacks
    ]
    for process in begun:
        said, _ = process.communicate(timeout=400)
        assert process.returncode == 0, said


@pytest.mark.faults_all
@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(two_clones, "two clones with the default name", id="clones"),
        pytest.param(two_names, "two stacks in one clone", id="names"),
    ],
)
def test_two_stacks_are_strangers(tmp_path, fault, make, told):
    stacks = make(tmp_path)
    for stack, rows in zip(stacks, ROWS, strict=True):
        stack.publish(MONTHS, rows)
    try:
        with fault(FAMILY, told, "up, deploy-flows, backfill, verify, down") as clock:
            both(stacks, "up")
            both(stacks, "deploy-flows", "--source", lambda stack: str(stack.releases))
            both(stacks, *load(MONTHS))
            for stack, rows in zip(stacks, ROWS, strict=True):
                stack.whole(MONTHS, rows)
                stack.tidy()
            clock.struck()
            stacks[0].run("down", "--yes")
            stacks[0].gone()
            clock.recovered()
            stacks[1].whole(MONTHS, ROWS[1])
            stacks[1].tidy()
    finally:
        for stack in stacks:
            stack.run("down", "--yes")
            stack.gone()
