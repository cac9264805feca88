"""What `down` does with things that Terraform's state does not know.

Terraform and the services are played here; `down` on real ones is in tests/platform and
tests/faults.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console as RichConsole

from taxistack.commands import provision
from taxistack.console import Console
from taxistack.errors import FailedError, UsageError
from taxistack.inventory import Leftover
from taxistack.removal import Kept
from taxistack.terraform import Plan

UNKNOWN = [Leftover("instance", "taxistack-kestra"), Leftover("bucket", "p-taxistack-lake")]


class EmptyState:
    """Terraform with nothing in its state."""

    def init(self) -> None:
        pass

    def plan(self, out: Path, destroy: bool) -> Plan:
        return Plan(path=out, changes=(), drift=(), outputs=(), any=False, destroy=destroy)


class PlayedTarget:
    """A target on which `UNKNOWN` exists until `retire` takes the local one away."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.state_dir = name, folder
        self.settings = SimpleNamespace(name="taxistack")
        self.there = list(UNKNOWN)
        self.retires_unknown = name == "local"

    def prepare(self, say) -> None:
        pass

    def terraform(self, **options) -> EmptyState:
        return EmptyState()

    def nothing_here(self) -> bool:
        return self.name == "local" and not self.there

    def clear_snapshots(self, say) -> None:
        pass

    def inventory(self) -> list[Leftover]:
        return self.there

    def remove(self, things, say) -> list[Kept]:
        """Google refuses to delete the bucket; the local cloud does nothing yet."""
        if self.name == "local":
            return []
        self.there = [one for one in self.there if one.kind == "bucket"]
        return [Kept(one, "forbidden") for one in self.there]

    def what_is_left(self, unknown) -> list[Leftover]:
        return self.there

    def exceptions(self) -> list[str]:
        return []

    def forget(self) -> None:
        pass

    def retire(self, keep_data: bool, say=None) -> None:
        if self.name == "local" and not keep_data:
            self.there = []


def down(target: PlayedTarget, *, assume_yes: bool = True) -> None:
    shown = RichConsole(file=io.StringIO(), width=140)
    console = Console(json=True, assume_yes=assume_yes, err=shown)
    provision.down(target, console, keep_data=False)


def test_what_cannot_be_removed_on_google_cloud_is_listed_and_ends_with_an_error(tmp_path, capsys):
    with pytest.raises(FailedError, match="1 thing of stack taxistack is left") as caught:
        down(PlayedTarget("gcp", tmp_path))
    assert "bucket p-taxistack-lake: forbidden" in caught.value.message
    said = json.loads(capsys.readouterr().out)
    assert said["left"] == [{"kind": "bucket", "name": "p-taxistack-lake"}]
    assert len(said["unknown"]) == 2


@pytest.mark.parametrize("name", ["gcp", "local"])
def test_nothing_unknown_is_removed_without_a_yes(name, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    target = PlayedTarget(name, tmp_path)
    with pytest.raises(UsageError, match=r"These 2 .* say --yes"):
        down(target, assume_yes=False)
    assert target.there == UNKNOWN


def test_what_is_left_locally_goes_with_the_local_cloud(tmp_path, capsys):
    target = PlayedTarget("local", tmp_path)
    down(target)
    said = json.loads(capsys.readouterr().out)
    assert (len(said["unknown"]), said["left"]) == (2, [])
    assert target.there == []
