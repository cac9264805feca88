"""An apply that Google refuses for reasons that pass: planned and applied again, within limits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from taxistack.commands import applying
from taxistack.commands.applying import Apply
from taxistack.terraform import Diagnostic, Plan, TerraformError

YOUNG = Diagnostic("error", "googleapi: Error 403: x has not been used in project 1, forbidden")
ACCOUNT = Diagnostic("error", "googleapi: Error 400: Service account a@b does not exist., invalid")
DENIED = Diagnostic("error", "googleapi: Error 403: Permission 'x.y.z' denied, forbidden")
WARNING = Diagnostic("warning", "Resource targeting is in effect")
PLAN = Plan(Path("next.tfplan"), (), (), (), any=True)


class Played:
    """Terraform whose applies fail one after the other as they are told to."""

    def __init__(self, *failures: list[Diagnostic]) -> None:
        self.failures = list(failures)
        self.plans = 0

    def plan(self, out: Path) -> Plan:
        self.plans += 1
        return PLAN

    def apply(self, planned: Plan) -> SimpleNamespace:
        if self.failures:
            raise TerraformError("apply", self.failures.pop(0), 1)
        return SimpleNamespace(seconds={"a": 1.0})


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is told on the way; the pauses are none."""
    monkeypatch.setattr(applying, "PAUSES", (0.0, 0.0))
    return []


def _apply(terraform: Played, said: list[str]) -> dict[str, float]:
    target, console = SimpleNamespace(), SimpleNamespace(say=said.append)
    return Apply(target, console, terraform, Path("next.tfplan")).apply(PLAN)


def test_it_is_planned_and_applied_again_and_said_so(said: list[str]) -> None:
    terraform = Played([YOUNG, WARNING], [YOUNG, ACCOUNT])
    assert _apply(terraform, said) == {"a": 1.0}
    assert terraform.plans == 2
    assert "just enabled" in said[0]
    assert "trying again" in said[0]
    assert "service account" in said[1]


def test_one_error_of_another_kind_ends_it(said: list[str]) -> None:
    with pytest.raises(TerraformError, match=r"x\.y\.z"):
        _apply(Played([YOUNG, DENIED]), said)
    assert said == []


def test_patience_has_an_end(said: list[str]) -> None:
    with pytest.raises(TerraformError, match="has not been used"):
        _apply(Played([YOUNG], [YOUNG], [YOUNG]), said)
    assert len(said) == 2
