"""`setup` on target gcp: from a new project to one in which `up` works, and again, and resumed.

Google is the tests' own server; Terraform is the real one, with its state on the storage emulator
and the provider stand-in behind it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.gcp.cloud import Project
from tests.gcp.cloud.provider import YoungProject, serve
from tests.gcp.whole import WholeGoogle

from localcloud import LocalCloud
from localcloud.google.store import Store
from taxistack.commands import setup as command
from taxistack.commands.setup import Identity, Setup
from taxistack.console import Console
from taxistack.errors import FailedError, LockedError, MissingError, UsageError
from taxistack.google import services
from taxistack.settings import Settings
from taxistack.targets import open_target
from taxistack.terraform import Terraform

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "some-project"
BUCKET = f"{PROJECT}-tfstate"
GITHUB = Identity("1234/5678")


@dataclass
class Operator:
    """Somebody who runs `setup` in a project of their own."""

    google: WholeGoogle
    folder: Path
    storage: str
    young: YoungProject | None = None
    naps: list[float] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def project(self) -> Project:
        return self.google.project

    def setup(self, identity: Identity = Identity(), *, yes: bool = True, unlock: str = "") -> None:  # noqa: B008
        raw = yaml.safe_load((ROOT / "invoke.yaml").read_text())["taxistack"]
        chosen = {"target": "gcp", "project": PROJECT, "state": str(self.folder / "state")}
        target = open_target(Settings.load({**raw, **chosen, **self.settings}))
        try:
            console = Console(json=True, assume_yes=yes)
            command.setup(target, console, identity, unlock, sleep=self.naps.append)
        finally:
            target.forget()

    def states(self) -> list[str]:
        """The names of the objects in the state bucket."""
        answer = httpx.get(f"{self.storage}/storage/v1/b/{BUCKET}/o", trust_env=False)
        return [one["name"] for one in answer.json().get("items", [])]

    def forget_state(self) -> None:
        """As if the run had been killed before it wrote one."""
        url = f"{self.storage}/storage/v1/b/{BUCKET}/o/_setup%2Fdefault.tfstate"
        httpx.delete(url, trust_env=False).raise_for_status()

    def made(self, kind: str) -> list[dict[str, Any]]:
        return list(self.project.objects(kind))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path_factory.mktemp("gcp") / "cloud")
    cloud.start()
    try:
        yield cloud
    finally:
        cloud.stop()


def clear(cloud: LocalCloud) -> None:
    """Nothing of an earlier test: no bucket, no record."""
    url = f"{cloud.state().storage.url}/storage/v1/b"
    for one in httpx.get(f"{url}/{BUCKET}/o", trust_env=False).json().get("items", []):
        name = one["name"].replace("/", "%2F")
        httpx.delete(f"{url}/{BUCKET}/o/{name}", trust_env=False)
    httpx.delete(f"{url}/{BUCKET}", trust_env=False)
    store = Store(cloud.layout.data("google") / "objects.db")
    for kind in KINDS:
        for one in store.ids(kind):
            store.remove(kind, one)


KINDS = (
    "google_storage_bucket",
    "google_project_service",
    "google_project_iam_member",
    "google_service_account",
    "google_service_account_iam_member",
    "google_iam_workload_identity_pool",
    "google_iam_workload_identity_pool_provider",
)


@pytest.fixture
def operator(
    cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Operator]:
    clear(cloud)
    project = Project(PROJECT, settling=2, cloud=cloud)
    young = YoungProject(project)
    provider, reattached = serve(cloud, young)
    try:
        with WholeGoogle(project) as google:
            for name, value in google.environment(tmp_path).items():
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("HOME", str(tmp_path))
            monkeypatch.setenv("TF_REATTACH_PROVIDERS", reattached)
            monkeypatch.setattr("taxistack.commands.applying.PAUSES", (0.1, 0.1))
            monkeypatch.setenv("TF_CLI_CONFIG_FILE", os.devnull)
            yield Operator(google, tmp_path, cloud.state().storage.url, young)
    finally:
        provider.stop(grace=5).wait()


def told(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, str], str]:
    """Name -> what was done, of the last result; and what went to stderr."""
    said = capsys.readouterr()
    return {row["name"]: row["state"] for row in json.loads(said.out)["things"]}, said.err


def test_a_new_project_is_made_ready_and_a_second_run_changes_and_asks_nothing(operator, capsys):
    operator.setup()
    done, said = told(capsys)
    assert done["compute.googleapis.com"] == "enabled"
    assert done["storage.googleapis.com"] == "was there"
    assert done[f"gs://{BUCKET}"] == "created"
    assert set(services.needed()) <= set(operator.project.enabled)
    assert operator.states() == ["_setup/default.tfstate"]
    assert "an API answers some minutes after it was enabled" in said
    assert operator.naps
    assert operator.made("google_iam_workload_identity_pool") == []

    (kept,) = operator.made("google_storage_bucket")
    assert kept["versioning"] == [{"enabled": True}]
    operator.setup(yes=False)
    done, said = told(capsys)
    assert set(done.values()) == {"was there"}
    assert "all was there" in said


def test_a_bucket_that_the_project_has_is_adopted_with_what_is_in_it(operator, capsys):
    httpx.post(f"{operator.storage}/storage/v1/b", json={"name": BUCKET}).raise_for_status()
    url = f"{operator.storage}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name="
    httpx.post(f"{url}taxistack/default.tfstate", content=b"{}").raise_for_status()
    operator.setup()
    done, _ = told(capsys)
    assert done[f"gs://{BUCKET}"] == "adopted"
    assert operator.states() == ["_setup/default.tfstate", "taxistack/default.tfstate"]


def test_the_ci_identity_stays_until_it_is_taken_away(operator, capsys):
    operator.young.unknown_accounts = 1
    operator.setup(GITHUB)
    said = capsys.readouterr()
    assert "a new service account is not known everywhere yet: trying again" in said.err
    out = json.loads(said.out)
    assert out["deployer"] == f"taxistack-deployer@{PROJECT}.iam.gserviceaccount.com"
    assert out["workload_identity_provider"].endswith("/taxistack-github/providers/github")
    assert {"sts.googleapis.com", "iamcredentials.googleapis.com"} <= set(operator.project.enabled)

    operator.setup(yes=False)
    done, _ = told(capsys)
    assert set(done.values()) == {"was there"}

    operator.setup(Identity(ref="refs/heads/deploy"))
    (provider,) = operator.made("google_iam_workload_identity_pool_provider")
    assert "assertion.ref == 'refs/heads/deploy'" in provider["attribute_condition"]
    assert "assertion.repository_id == '5678'" in provider["attribute_condition"]

    operator.setup(Identity("none"))
    assert operator.made("google_service_account") == []
    assert len(operator.made("google_storage_bucket")) == 1


def test_what_a_killed_run_made_without_recording_it_is_adopted(operator, capsys):
    operator.setup(GITHUB)
    operator.forget_state()
    capsys.readouterr()
    operator.setup(GITHUB)
    done, said = told(capsys)
    assert done[f"gs://{BUCKET}"] == "adopted"
    assert "adopted google_service_account.deployer" in said
    assert len(operator.made("google_iam_workload_identity_pool")) == 1
    operator.setup(yes=False)
    assert set(told(capsys)[0].values()) == {"was there"}


class Killed(BaseException):
    """As a kill: nothing may catch it."""


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (services, "enable"),
        (services, "wait_until_they_answer"),
        (Setup, "_make_bucket"),
        (Terraform, "init"),
        (Terraform, "import_"),
        (Terraform, "plan"),
        (Terraform, "apply"),
        (Setup, "_close"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_run_that_was_killed_goes_on(operator, capsys, monkeypatch, place, name):
    """Killed when the step has done its work and before anything else is."""
    step = getattr(place, name)

    def killed(*args: Any, **kwargs: Any) -> None:
        step(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, name, killed)
        with pytest.raises(Killed):
            operator.setup()
    capsys.readouterr()
    operator.setup()
    assert len(operator.made("google_storage_bucket")) == 1
    assert operator.states() == ["_setup/default.tfstate"]


def test_nothing_is_done_without_a_yes(operator):
    before = set(operator.project.enabled)
    with pytest.raises(UsageError, match=r"enable 9 APIs .* and make the bucket .* say --yes"):
        operator.setup(yes=False)
    assert set(operator.project.enabled) == before


def test_a_lock_that_a_killed_run_left_is_released_by_its_id(operator, capsys):
    operator.setup()
    lock = {"ID": "0", "Operation": "OperationTypeApply", "Who": "me@there", "Version": "1.11.4",
            "Created": "2026-11-26T00:00:00Z", "Path": "", "Info": ""}  # fmt: skip
    url = f"{operator.storage}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name="
    made = httpx.post(f"{url}_setup/default.tflock", content=json.dumps(lock)).json()
    with pytest.raises(LockedError, match="me@there") as caught:
        operator.setup()
    assert "invoke setup --force-unlock" in caught.value.hint
    capsys.readouterr()
    operator.setup(unlock=made["generation"])
    assert set(told(capsys)[0].values()) == {"was there"}


# --- without Terraform --------------------------------------------------------------------------


@pytest.fixture
def beginner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    """The same project without emulators: what goes wrong before Terraform."""
    with WholeGoogle(Project(PROJECT)) as google:
        for name, value in google.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield Operator(google, tmp_path, "")


def test_a_project_that_nobody_pays_for_is_told_with_its_mend(beginner):
    beginner.project.billing = False
    with pytest.raises(MissingError, match="no billing account") as caught:
        beginner.setup()
    assert f"gcloud billing projects link {PROJECT}" in caught.value.hint
    assert "compute.googleapis.com" not in beginner.project.enabled


def test_a_bucket_of_another_project_is_not_touched(beginner):
    beginner.google.others.add(BUCKET)
    with pytest.raises(MissingError, match="is another project's") as caught:
        beginner.setup()
    assert "state_bucket" in caught.value.hint


def test_the_local_default_project_is_refused(beginner):
    beginner.settings["project"] = "taxistack-local"
    with pytest.raises(UsageError, match="taxistack-local"):
        beginner.setup()


def test_an_api_that_never_answers_ends_the_waiting(beginner, monkeypatch):
    beginner.project.settling = 10**6
    monkeypatch.setattr(services, "SECONDS", 0.0)
    with pytest.raises(FailedError, match="still off after"):
        beginner.setup()


def test_enabling_may_take_google_a_while(beginner, monkeypatch):
    looks = iter([{"name": "operations/x"}, {"name": "operations/x", "done": True}])
    monkeypatch.setattr("tests.gcp.cloud.platform._enable", lambda *_: next(looks))
    services._wait_for(open_google(), {"name": "operations/x"}, beginner.naps.append)
    assert beginner.naps == [services.PAUSE]


def open_google():
    from taxistack.google import GoogleApis

    return GoogleApis()


@pytest.mark.parametrize("github", ["me/repo", "12", "12/", "1/2/3"])
def test_a_repository_by_name_is_refused(github):
    with pytest.raises(UsageError, match="GitHub's numbers"):
        Identity(github)


def test_a_branch_without_a_repository_is_refused():
    with pytest.raises(UsageError, match="--github names whose"):
        Identity(ref="refs/heads/main").variables({})


def test_on_the_local_target_nothing_is_to_be_set_up(invoke_on, tmp_path):
    done = invoke_on(tmp_path / "state", "setup")
    assert done.stdout == "setup: the local target needs none; invoke up starts everything\n"
    assert not (tmp_path / "state").exists()


def test_the_apis_are_those_that_infra_lists():
    assert {"compute.googleapis.com", "cloudbilling.googleapis.com"} <= set(services.needed())
    assert set(services.needed(ci=True)) - set(services.needed()) == {
        "iamcredentials.googleapis.com",
        "sts.googleapis.com",
    }
