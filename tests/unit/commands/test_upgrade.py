"""`upgrade`: what it refuses before it changes anything, and the way back when it did not work."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from taxistack.commands import upgrade as command
from taxistack.console import Console
from taxistack.errors import FailedError, MissingError, UsageError

WAY_BACK = "INVOKE_TAXISTACK_KESTRA_VERSION=2.0.0 invoke restore --name 20261127-031500"


class Kestra:
    """A server of the first of `versions`, and of the next ones when it is asked again."""

    def __init__(self, *versions: str, source: str | None = "public") -> None:
        self._versions = list(versions)
        self.kv = SimpleNamespace(get=lambda namespace, key: source)

    def version(self) -> str:
        return self._versions.pop(0)


def target(wanted: str, kestra: Kestra) -> SimpleNamespace:
    return SimpleNamespace(
        settings=SimpleNamespace(kestra_version=wanted),
        check_upgrade=lambda: None,
        kestra=lambda: kestra,
    )


@pytest.fixture
def done(monkeypatch):
    """What is done, by the commands that have tests of their own."""
    steps: list[str] = []

    def step(name: str, answer=None):
        def run(*_, **__):
            steps.append(name)
            return answer

        return run

    kept = SimpleNamespace(name="20261127-031500")
    monkeypatch.setattr(command.backup, "backup", step("backup", kept))
    monkeypatch.setattr(command.provision, "up", step("up"))
    monkeypatch.setattr(command.flows, "redeploy", step("redeploy"))
    monkeypatch.setattr(command.executions, "run", step("run"))
    return steps


def test_it_keeps_raises_tries_and_proves(done, capsys):
    command.upgrade(target("2.0.9", Kestra("2.0.0", "2.0.9")), Console(json=True))
    assert done == ["backup", "up", "redeploy", "run"]
    said = json.loads(capsys.readouterr().out)
    assert (said["from"], said["to"], said["way_back"]) == ("2.0.0", "2.0.9", WAY_BACK)


def test_a_server_that_is_the_old_one_still_is_no_upgrade(done):
    with pytest.raises(FailedError, match=r"is Kestra 2\.0\.0 still, and not 2\.0\.9") as told:
        command.upgrade(target("2.0.9", Kestra("2.0.0", "2.0.0")), Console())
    assert told.value.hint == f"the way back: {WAY_BACK}"


def test_what_stops_the_new_server_is_told_with_the_way_back(done, monkeypatch):
    def fails(*_, **__):
        raise FailedError("failed: build-image", hint="look at its log")

    monkeypatch.setattr(command.provision, "up", fails)
    with pytest.raises(FailedError, match="build-image") as told:
        command.upgrade(target("2.0.9", Kestra("2.0.0")), Console())
    assert told.value.hint == f"look at its log; or the way back: {WAY_BACK}"


@pytest.mark.parametrize("wanted", ["2.0.0", "1.9.9", "v2.0.0"])
def test_what_is_not_newer_is_refused(done, wanted):
    with pytest.raises(UsageError, match="is not newer"):
        command.upgrade(target(wanted, Kestra("2.0.0")), Console())
    assert done == []


def test_a_server_without_flows_can_not_be_tried(done):
    with pytest.raises(MissingError, match="no flows are deployed"):
        command.upgrade(target("2.0.9", Kestra("2.0.0", source=None)), Console())
    assert done == []
