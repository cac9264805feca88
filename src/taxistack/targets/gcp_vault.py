"""Backups on Google Cloud: a snapshot of the data disk, and a dump of PostgreSQL in the bucket.

The snapshot holds both databases and is what a restore goes back to: Terraform makes the disk anew
from it. A snapshot of a disk in use is what a crash would leave, and PostgreSQL starts from that
(write-ahead log); what it was asked to commit is in it. The dump is of the trips alone: Kestra's
own database has a password that never leaves the VM. It can be read without Google Cloud.

REST: Compute Engine v1, `disks.createSnapshot` and `snapshots.get`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from taxistack.backups import Backup, Vault, dump
from taxistack.backups.backup import RECORD
from taxistack.errors import FailedError, UsageError
from taxistack.google import Api, NotFoundError
from taxistack.scratch import scratch

if TYPE_CHECKING:
    from google.cloud import storage

    from taxistack.backups.vault import Say
    from taxistack.targets.gcp import GcpTarget

PREFIX = "backups/"
POSTGRES = "postgres.dump"
DISK = "google_compute_disk.data"
PAUSE = 5.0  # seconds between two looks at a snapshot
_SNAPSHOT_SECONDS = 1800.0


class GcpVault(Vault):
    """Backups in the bucket of Kestra's files, below `backups/`, and the project's snapshots."""

    def __init__(self, target: GcpTarget) -> None:
        """`target`: whose stack is kept and restored."""
        self._target = target

    def check(self) -> None:
        """Google answers, and there is a stack."""
        self._target.check_access()
        _ = self._target.outputs

    def names(self) -> list[str]:
        """Those with a record."""
        blobs = self._bucket().list_blobs(prefix=PREFIX)
        return sorted(b.name.split("/")[1] for b in blobs if b.name.endswith(f"/{RECORD}"))

    def read(self, name: str) -> Backup:
        """The record."""
        path = f"{PREFIX}{name}/{RECORD}"
        return Backup.parse(self._bucket().blob(path).download_as_text(), path)

    def save(self, backup: Backup, say: Say) -> str:
        """Dump and snapshot, then the record."""
        bucket, folder = self._bucket(), f"{PREFIX}{backup.name}/"
        say("dumping PostgreSQL through the tunnel")
        with scratch(self._target.state_dir) as place:
            file = place / POSTGRES
            dump.dump(self._target.postgres_address(), self._target.postgres_password(), file)
            bucket.blob(folder + POSTGRES).upload_from_filename(str(file))
        snapshot = self._snapshot(backup, say)
        bucket.blob(folder + RECORD).upload_from_string(backup.as_text(), "application/json")
        return f"snapshot {snapshot} and gs://{bucket.name}/{folder}"

    def load(self, backup: Backup, say: Say) -> None:
        """Let Terraform make the data disk anew from the snapshot, and the VM with it.

        Raises FailedError when the snapshot is gone, UsageError when the VM is protected; nothing
        was changed then.
        """
        if self._target.settings.deletion_protection:
            raise UsageError(
                "setting deletion_protection: a restore replaces the VM, which is protected",
                hint="set it to false, invoke up, and restore then",
            )
        name = snapshot_of(backup)
        try:
            self._look(name)
        except NotFoundError:
            raise FailedError(
                f"the snapshot {name} of this backup is gone; nothing was changed",
                hint=f"its dump of PostgreSQL is {PREFIX}{backup.name}/{POSTGRES} in the bucket",
            ) from None
        say(f"the data disk is made anew from snapshot {name}, and the VM with it")
        target = self._target
        target.prepare(say)
        terraform = target.terraform(data_disk_snapshot=name)
        terraform.init()
        with scratch(target.state_dir) as place:
            plan = terraform.plan(out=place / "next.tfplan", replace=[DISK])
            terraform.apply(plan)

    def _snapshot(self, backup: Backup, say: Say) -> str:
        made, name = self._target.outputs, snapshot_of(backup)
        disk = f"projects/{made.project}/zones/{made.zone}/disks/{backup.stack}-data"
        say(f"taking snapshot {name} of the data disk")
        self._target.google.call(
            "POST",
            Api.COMPUTE,
            f"{disk}/createSnapshot",
            doing=f"taking snapshot {name}",
            json={
                "name": name,
                "labels": {**made.labels, "backup": backup.name},
                "storageLocations": [self._target.settings.region],
            },
        )
        give_up = time.monotonic() + _SNAPSHOT_SECONDS
        while (state := self._state(name)) != "READY":
            if state == "FAILED" or time.monotonic() > give_up:
                raise FailedError(
                    f"snapshot {name} is {state or 'not there'}; there is no backup {backup.name}"
                )
            time.sleep(PAUSE)
        return name

    def _state(self, name: str) -> str:
        try:
            return str(self._look(name).get("status", ""))
        except NotFoundError:  # asked for, and not there yet
            return ""

    def _look(self, name: str) -> dict[str, Any]:
        path = f"projects/{self._target.project}/global/snapshots/{name}"
        return self._target.google.get(Api.COMPUTE, path, doing=f"looking at snapshot {name}")

    def _bucket(self) -> storage.Bucket:
        bucket: storage.Bucket = self._target.storage().bucket(self._target.outputs.kestra_bucket)
        return bucket


def snapshot_of(backup: Backup) -> str:
    """The name of a backup's snapshot: after the disk, as those of the schedule."""
    return f"{backup.stack}-data-{backup.name}"
