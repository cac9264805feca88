"""A backup on Google Cloud: a snapshot and a dump; a restore lets Terraform make the disk anew."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tests.unit.backups.test_backups import made

from taxistack.errors import FailedError, UsageError
from taxistack.google import NotFoundError
from taxistack.targets import gcp_vault
from taxistack.targets.gcp_vault import GcpVault

SNAPSHOT = "projects/p/global/snapshots/s-data-20261127-031500"


class Bucket:
    """Objects in memory."""

    name = "p-s-kestra"

    def __init__(self) -> None:
        self.objects: dict[str, str] = {}

    def blob(self, name: str) -> SimpleNamespace:
        def upload(text: str, kind: str = "") -> None:
            self.objects[name] = text

        return SimpleNamespace(
            upload_from_filename=upload,
            upload_from_string=upload,
            download_as_text=lambda: self.objects[name],
        )

    def list_blobs(self, prefix: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=one) for one in self.objects if one.startswith(prefix)]


class Target:
    """What the vault asks of a target."""

    def __init__(self, states: list[str], tmp_path, protected: bool = False) -> None:
        self.states, self.asked, self.planned = states, [], []
        self.bucket, self.state_dir, self.project = Bucket(), tmp_path, "p"
        self.settings = SimpleNamespace(deletion_protection=protected, region="us-central1")
        self.outputs = SimpleNamespace(
            project="p", zone="us-central1-b", kestra_bucket="b", labels={"stack": "s"}
        )
        self.google = SimpleNamespace(call=self._call, get=self._get)

    def _call(self, method, api, path, *, doing, json):
        self.asked.append((method, path, json))
        return {}

    def _get(self, api, path, *, doing):
        assert path == SNAPSHOT
        state = self.states.pop(0)
        if not state:
            raise NotFoundError("no such snapshot", status=404)
        return {"status": state}

    def storage(self) -> SimpleNamespace:
        return SimpleNamespace(bucket=lambda name: self.bucket)

    def postgres_address(self) -> dict[str, object]:
        return {"host": "h"}

    def postgres_password(self) -> str:
        return "secret"

    def prepare(self, say) -> None: ...

    def terraform(self, **variables) -> SimpleNamespace:
        def plan(out, replace):
            self.planned.append((variables, replace))
            return "the plan"

        return SimpleNamespace(init=lambda: None, plan=plan, apply=self.planned.append)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(gcp_vault, "PAUSE", 0)
    monkeypatch.setattr(gcp_vault.dump, "dump", lambda *given: None)


def said(_: str) -> None: ...


def test_a_backup_is_there_when_its_snapshot_is_ready(tmp_path):
    target = Target(["", "CREATING", "READY"], tmp_path)
    vault = GcpVault(target)
    where = vault.save(made(stack="s"), said)
    ((method, path, body),) = target.asked
    assert (method, path) == ("POST", "projects/p/zones/us-central1-b/disks/s-data/createSnapshot")
    assert body["name"] == "s-data-20261127-031500"
    assert body["labels"] == {"stack": "s", "backup": "20261127-031500"}
    assert body["storageLocations"] == ["us-central1"]
    assert "s-data-20261127-031500" in where
    assert vault.names() == ["20261127-031500"]
    assert vault.read("20261127-031500") == made(stack="s")


def test_a_snapshot_that_failed_is_no_backup(tmp_path):
    target = Target(["CREATING", "FAILED"], tmp_path)
    with pytest.raises(FailedError, match="is FAILED; there is no backup"):
        GcpVault(target).save(made(stack="s"), said)
    assert GcpVault(target).names() == []


def test_a_restore_replaces_the_disk_by_one_of_the_snapshot(tmp_path):
    target = Target(["READY"], tmp_path)
    GcpVault(target).load(made(stack="s"), said)
    assert target.planned == [
        ({"data_disk_snapshot": "s-data-20261127-031500"}, ["google_compute_disk.data"]),
        "the plan",
    ]


def test_nothing_is_changed_without_the_snapshot_or_for_a_protected_vm(tmp_path):
    for target, error in (
        (Target([""], tmp_path), FailedError),
        (Target(["READY"], tmp_path, protected=True), UsageError),
    ):
        with pytest.raises(error):
            GcpVault(target).load(made(stack="s"), said)
        assert target.planned == []
