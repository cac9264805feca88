"""`deploy-flows` and the push after a restart, on a local target whose parts are played.

The server is in memory; what the release site serves and its address are the test's.
"""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console as RichConsole
from tests.conftest import settings_of

from taxistack.commands import flows
from taxistack.console import Console
from taxistack.errors import FailedError, MissingError, UsageError
from taxistack.targets.local import LocalTarget
from taxistack.targets.outputs import Outputs

SITE, MOVED = "http://127.0.0.1:5001", "http://127.0.0.1:5002"


class PlayedTarget(LocalTarget):
    """The real local target; its cloud only remembers what it was asked to serve."""

    def __init__(self, folder: Path, client) -> None:
        super().__init__(settings_of(folder))
        self.site, self._client = SITE, client
        self.__dict__["outputs"] = Outputs(
            "lake", "k", "trips", "staging", "p", "z", "US", {"stack": "taxistack"}
        )
        self.__dict__["cloud"] = SimpleNamespace(release_folder=None, serve=self._serve)

    def _serve(self, folder: Path) -> None:
        self.cloud.release_folder = folder

    def running(self):
        return SimpleNamespace(releases=SimpleNamespace(url=self.site))

    def kestra(self):
        return self._client

    def alarm_channel(self) -> str:
        return ""

    def flow_settings(self) -> dict[str, str]:
        return {}


@pytest.fixture
def target(tmp_path, client, repository, monkeypatch) -> PlayedTarget:
    monkeypatch.setattr(flows, "FLOWS", repository.flows)
    monkeypatch.setattr(flows, "ETL", repository.etl)
    monkeypatch.setattr(flows, "etl_requirements_digest", lambda: "sha-of-the-server")
    return PlayedTarget(tmp_path / "state", client)


@pytest.fixture
def deploy(target):
    """Deploy, and give what was said."""

    def go(source: str = "", *, yes: bool = True, **more) -> str:
        streams = [RichConsole(file=io.StringIO(), width=200) for _ in range(2)]
        console = Console(assume_yes=yes, out=streams[0], err=streams[1])
        flows.deploy_flows(target, console, source, **more)
        return "".join(stream.file.getvalue() for stream in streams)

    return go


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "months"
    made.mkdir()
    return made


# --- the user's own ----------------------------------------------------------------------------


def test_the_push_after_a_restart_leaves_the_users_own_alone(deploy, target, server):
    deploy()
    server.flows["mine"] = "id: mine\nnamespace: taxi\n"
    server.files["notes/mine.txt"] = b"mine"
    server.keys["mine"] = "x"
    flows.redeploy(target)
    assert "mine" in server.flows
    assert "notes/mine.txt" in server.files
    assert "mine" in server.keys


def test_prune_names_what_it_takes_and_takes_it_only_with_a_yes(deploy, server, monkeypatch):
    deploy()
    server.flows["mine"] = "id: mine\nnamespace: taxi\n"
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(UsageError, match=r"Delete 1 object from .*say --yes"):
        deploy(prune=True, yes=False)
    assert "mine" in server.flows
    assert "flow mine" in deploy(prune=True)
    assert "mine" not in server.flows


def test_a_no_deploys_nothing(deploy, server, monkeypatch):
    deploy()
    server.flows["mine"] = "id: mine\nnamespace: taxi\n"
    server.writes.clear()
    monkeypatch.setattr(Console, "confirm", lambda self, question: False)
    with pytest.raises(FailedError, match="nothing was deployed"):
        deploy(prune=True, yes=False)
    assert server.writes == []


# --- which source -----------------------------------------------------------------------------


def test_a_silent_source_switches_nothing(deploy, target, server, folder):
    deploy(str(folder))
    server.writes.clear()
    with pytest.raises(MissingError, match=r"no answer from http://127\.0\.0\.1:9"):
        deploy("http://127.0.0.1:9")
    assert server.writes == []
    assert target.cloud.release_folder == folder


def test_a_refused_flow_switches_nothing(deploy, target, server, folder):
    deploy(str(folder))
    server.invalid["hello_world"] = "Validation error: Invalid type: io.kestra.plugin.dbt.Cli"
    with pytest.raises(UsageError, match="Invalid type") as refused:
        deploy("sample")
    assert target.cloud.release_folder == folder
    assert "io.kestra.plugin.core.*" in refused.value.hint
    assert "kestra: docker" in refused.value.hint


def test_a_switch_between_folder_and_samples_is_told_though_no_object_changes(deploy, folder):
    assert deploy(str(folder)).endswith(f"months come from folder {folder}\n")
    said = deploy("sample")
    assert "unchanged" in said
    assert f"come from the samples (generated here) (until now: folder {folder})\n" in said


def test_a_source_that_is_kept_is_told_with_the_way_to_the_settings(deploy, folder):
    deploy(str(folder))
    kept = f"months come from folder {folder}, as deployed before; --source sample takes the"
    assert kept in deploy()
    deploy("sample")
    assert deploy().endswith("months come from the samples (generated here)\n")


def test_a_dry_run_changes_neither_server_nor_release_site(deploy, target, server, folder):
    deploy(str(folder))
    server.writes.clear()
    noted = target._url_note.read_text()
    said = deploy("sample", dry_run=True)
    assert "nothing was changed" in said
    assert "would come from the samples" in said
    assert server.writes == []
    assert target.cloud.release_folder == folder
    assert target._url_note.read_text() == noted


# --- a release site that moved -----------------------------------------------------------------


def test_the_flows_follow_the_release_site(deploy, target, server):
    deploy("sample")
    target.site = MOVED
    flows.redeploy(target)
    assert server.keys["source"] == MOVED


def test_another_source_stays_where_it_is(deploy, target, server, monkeypatch):
    monkeypatch.setattr(flows, "require_answer", lambda url, words: None)
    deploy("sample")
    deploy("http://127.0.0.1:7007/months")
    target.site = MOVED
    flows.redeploy(target)
    assert server.keys["source"] == "http://127.0.0.1:7007/months"


@pytest.mark.parametrize("before", ["/namespaces/taxi/kv/source", "/flows/taxi/hello_world"])
def test_a_start_that_is_cut_off_is_made_good_by_the_next_one(
    deploy, target, server, repository, before
):
    deploy("sample")
    target.site = MOVED
    repository.write("hello_world", "id: hello_world\nnamespace: taxi\n# new\n")
    server.broken = before  # before the address is pushed, and after it
    with pytest.raises(FailedError):
        flows.redeploy(target)
    assert server.keys["source"] == (SITE if before.endswith("source") else MOVED)
    server.broken = None
    target.site = "http://127.0.0.1:5003"  # and the port changes once more
    flows.redeploy(target)
    assert server.keys["source"] == target.site
    assert target._url_note.read_text().split() == [target.site]
