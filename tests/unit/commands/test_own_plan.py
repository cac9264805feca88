"""What `up` applies is the plan that it showed, whatever another command plans meanwhile.

Terraform is played here: what it is asked to plan is written into the plan's file.
"""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console as RichConsole

from taxistack.commands import provision
from taxistack.console import Console
from taxistack.errors import UsageError
from taxistack.terraform import ApplyResult, Change, Plan


class PlayedTerraform:
    """Plans what it is called, and applies what stands in the plan's file."""

    def __init__(self, called: str, applied: list[str]) -> None:
        self.called, self.applied = called, applied

    def init(self) -> None:
        pass

    def plan(self, out: Path | None = None) -> Plan:
        if out:
            out.write_text(self.called)
        changes = (Change("google_compute_disk.data", "google_compute_disk", "replace"),)
        return Plan(out, changes, drift=(), outputs=(), any=not self.applied)

    def apply(self, plan: Plan) -> ApplyResult:
        self.applied.append(plan.path.read_text())
        return ApplyResult((), {})

    def resources(self) -> list[str]:
        return [provision.PROTECTED[0]]


class PlayedTarget:
    """A target on Google Cloud, where `up` asks before it applies."""

    name, asks = "gcp", True
    settings = SimpleNamespace(project="my-project", name="taxistack")

    def __init__(self, folder: Path, called: str, applied: list[str]) -> None:
        self.state_dir, self._terraform = folder, PlayedTerraform(called, applied)

    def check(self) -> None:
        pass

    def prepare(self, say) -> None:
        pass

    def terraform(self, on_event) -> PlayedTerraform:
        return self._terraform

    def resources(self, terraform: PlayedTerraform) -> list[str]:
        return terraform.resources()

    def forget(self) -> None:
        pass

    def wait_for_kestra(self, say=None) -> str:
        return "2.0.0"

    def monthly_cost(self) -> None:
        pass

    def recorded_only(self, kind: str) -> bool:
        return False

    def lasting_kestra_url(self) -> str:
        return "http://127.0.0.1:8080"


class Hesitating(Console):
    """While it is asked, somebody else plans in another terminal."""

    def __init__(self, meanwhile) -> None:
        super().__init__(json=True, err=RichConsole(file=io.StringIO(), width=140))
        self.meanwhile = meanwhile

    def confirm(self, question: str) -> bool:
        self.meanwhile()
        return True


def quiet() -> Console:
    return Console(json=True, err=RichConsole(file=io.StringIO(), width=140))


def test_a_plan_made_while_up_asks_is_not_what_up_applies(tmp_path):
    applied: list[str] = []
    other = PlayedTarget(tmp_path, "the other's", applied)

    def elsewhere() -> None:
        with provision._plan_file(other) as path:  # what another `up` or `down` does first
            other.terraform(None).plan(out=path)
        provision.plan(other, quiet(), out="", detailed_exitcode=False)

    provision.up(PlayedTarget(tmp_path, "its own", applied), Hesitating(elsewhere))
    assert applied == ["its own"]
    assert list(tmp_path.iterdir()) == []


def test_a_plan_for_a_folder_that_is_not_there_is_refused_before_anything_starts(tmp_path):
    target = SimpleNamespace()  # nothing of it may be asked
    with pytest.raises(UsageError, match="does not exist"):
        provision.plan(target, quiet(), out=str(tmp_path / "no" / "x"), detailed_exitcode=False)


class Protected(PlayedTerraform):
    """Holds data: unlocked before it is destroyed. The run after that is interrupted."""

    def plan(self, out: Path | None = None, *, destroy: bool = False) -> Plan:
        assert destroy
        return super().plan(out)

    def plan_and_apply(self, *, destroy=False, targets=(), refresh=True) -> None:
        if destroy:
            assert not refresh, "what goes was looked at by the plan before"
            raise KeyboardInterrupt("terraform apply was interrupted")
        self.applied += targets


def test_a_down_that_ends_after_it_lifted_the_protection_says_so(tmp_path, monkeypatch):
    target = PlayedTarget(tmp_path, "", [])
    target._terraform = terraform = Protected("plan", [])
    monkeypatch.setattr(PlayedTarget, "nothing_here", lambda self: False, raising=False)
    monkeypatch.setattr(PlayedTarget, "can_go_without_terraform", lambda *_: False, raising=False)
    monkeypatch.setattr(PlayedTarget, "terraform", lambda self, **_: terraform)
    with pytest.raises(KeyboardInterrupt) as raised:
        provision.down(target, Hesitating(lambda: None), keep_data=False)
    assert terraform.applied == [provision.PROTECTED[0]]
    assert "the protection of what holds data is lifted" in str(raised.value)
    assert "nothing was changed" not in str(raised.value)
