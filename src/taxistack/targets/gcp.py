"""Google Cloud: the same stack in a project of one's own.

Credentials are Application Default Credentials or Workload Identity; key files are not used.
The VM has no external address: Kestra and PostgreSQL are reached through IAP tunnels that the
operator opens, at the addresses of the settings `kestra_url`, `postgres_host`, `postgres_port`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taxi_etl.month import Month
from taxistack import inventory
from taxistack.errors import FailedError, MissingError, UsageError
from taxistack.google import (
    Api,
    BusyError,
    DisabledApiError,
    GoogleApis,
    NoNetworkError,
    NotFoundError,
)
from taxistack.inventory import Leftover
from taxistack.targets.base import Say, Target, new_password, public_or_url

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

PAUSE = 5.0  # seconds between two looks at a VM that boots


class GcpTarget(Target):
    """One stack in a Google Cloud project."""

    name = "gcp"

    def check(self) -> None:
        """Nothing: Terraform and the APIs say what they refuse."""

    def prepare(self, say: Say) -> None:
        """Check credentials and that the state bucket exists (infra/bootstrap makes it)."""
        bucket = self.settings.tfstate_bucket
        if self.storage().lookup_bucket(bucket) is None:
            raise MissingError(
                f"the state bucket gs://{bucket} does not exist or cannot be read",
                hint="make it once with the root infra/bootstrap (see docs/google-cloud.md), "
                "or name another with the setting state_bucket",
            )
        say(f"project {self.settings.project}, state in gs://{bucket}")

    def terraform_environment(self) -> Mapping[str, str]:
        """Nothing: the provider finds Application Default Credentials by itself."""
        return {}

    def terraform_backend(self) -> Mapping[str, str]:
        """The state bucket, one prefix a stack."""
        return {"bucket": self.settings.tfstate_bucket, "prefix": self.settings.name}

    @cached_property
    def google(self) -> GoogleApis:
        """Google's APIs with the operator's credentials."""
        return GoogleApis()

    def read_secret(self, secret_id: str) -> str | None:
        """Ask Secret Manager (REST `versions/latest:access`); None before the first `up`.

        In a new project the API is off until that `up` enables it: no value either.
        """
        path = f"projects/{self.settings.project}/secrets/{secret_id}/versions/latest:access"
        try:
            answer = self.google.get(Api.SECRET_MANAGER, path, doing=f"reading secret {secret_id}")
        except (NotFoundError, DisabledApiError):
            return None
        return base64.b64decode(answer["payload"]["data"]).decode()

    def postgres_password(self) -> str:
        """From Secret Manager; a new one before the first `up`."""
        return self.read_secret(f"{self.settings.name}-postgres-password") or self._fresh_password

    @cached_property
    def _fresh_password(self) -> str:
        return new_password()

    def rotated_postgres_password(self) -> str:
        """A new one; the VM takes it at its next boot."""
        return self._fresh_password

    def clear_snapshots(self, say: Say) -> None:
        """Delete them by label (Compute Engine REST, `snapshots.delete`)."""
        for name in inventory.delete_snapshots(
            self.google, self.settings.project, self.settings.name
        ):
            say(f"  deleted snapshot {name}")

    def kestra_url(self) -> str:
        """The operator's end of the tunnel to the VM's port 8080."""
        if self.settings.kestra_url:
            return self.settings.kestra_url.rstrip("/")
        raise MissingError(
            "the VM has no external address: open a tunnel and name it in the setting kestra_url",
            hint=f"gcloud compute start-iap-tunnel {self.settings.name}-kestra 8080 "
            f"--local-host-port=127.0.0.1:8080 --zone {self.settings.zone} "
            f"--project {self.settings.project}",
        )

    def wait_for_kestra(self, seconds: float = 1200) -> str:
        """Ask Kestra where a tunnel is named; else its VM, whose boot script says how far it is.

        The first boot installs Docker and builds the server's image, which takes minutes. Raises
        FailedError when the boot failed, or is not done after `seconds`.
        """
        if self.settings.kestra_url:
            return super().wait_for_kestra()
        vm, zone = self.outputs.instance, self.outputs.zone
        by_hand = (
            f"gcloud compute ssh {vm} --tunnel-through-iap --zone {zone} --project "
            f"{self.settings.project} -- sudo journalctl --unit google-startup-scripts"
        )
        give_up = time.monotonic() + seconds
        while (step := self._boot_step(vm, zone)) != "healthy":
            if step.startswith("failed"):
                raise FailedError(f"the boot of {vm} {step}", hint=by_hand)
            if time.monotonic() > give_up:
                at = step or "its beginning"
                raise FailedError(f"{vm} is still at {at} after {seconds:.0f} s", hint=by_hand)
            time.sleep(PAUSE)
        return self.settings.kestra_version

    def _boot_step(self, vm: str | None, zone: str) -> str:
        # What infra/kestra/boot.sh wrote last (Compute Engine REST, `getGuestAttributes`).
        path = f"projects/{self.settings.project}/zones/{zone}/instances/{vm}/getGuestAttributes"
        try:
            answer = self.google.get(
                Api.COMPUTE, path, doing=f"looking at the boot of {vm}", queryPath="taxistack/boot"
            )
        except (NotFoundError, BusyError, NoNetworkError):  # nothing is written yet; or the next
            return ""  # look may get through
        return str(answer["queryValue"]["items"][0]["value"])

    def flow_settings(self) -> dict[str, str]:
        """No emulators; PostgreSQL is the VM's own, by its name in the compose file."""
        return {
            "storage_endpoint": "",
            "bigquery_endpoint": "",
            "postgres_host": "postgres",
            "postgres_port": "5432",
            "postgres_database": "taxi",
            "postgres_user": "taxi",
            "maximum_bytes_billed": str(self.settings.maximum_bytes_billed),
        }

    def postgres_address(self) -> dict[str, Any]:
        """The operator's end of the tunnel to the VM's port 5432."""
        return {
            "host": self.settings.postgres_host,
            "port": self.settings.postgres_port,
            "dbname": "taxi",
            "user": "taxi",
        }

    @cached_property
    def _storage(self) -> storage.Client:
        return self.google.storage(self.settings.project)

    @cached_property
    def _bigquery(self) -> bigquery.Client:
        return self.google.bigquery(self.settings.project, self.settings.location)

    def check_source(self, source: str) -> None:
        """A VM can fetch from URLs only; folders and samples are on the operator's machine."""
        self._url_of(source)

    def release_url(self, source: str, say: Say) -> str:
        """The public release, or the URL itself."""
        return self._url_of(source)

    @staticmethod
    def _url_of(source: str) -> str:
        if (url := public_or_url(source)) is None:
            raise UsageError(
                f"--source {source}: on target gcp the source must be `public` or a URL "
                "that the VM can reach"
            )
        return url

    @property
    def serves_samples(self) -> bool:
        """No sample is served to a VM."""
        return False

    def moved_source(self, deployed: str) -> str:
        """A URL stays where it is."""
        return deployed

    def publish_samples(self, months: Iterable[tuple[str, Month]], say: Say) -> int:
        """No sample is served to a VM."""
        return 0

    def nothing_here(self) -> bool:
        """Only Terraform's state can say."""
        return False

    def inventory(self) -> Iterable[Leftover]:
        """Buckets, datasets, and what the REST APIs list by label or name."""
        project, stack = self.settings.project, self.settings.name
        yield from inventory.buckets(self.storage(), project, stack)
        yield from inventory.datasets(self.bigquery(), stack)
        yield from inventory.google_cloud(self.google, project, stack)

    def exceptions(self) -> list[str]:
        """The state bucket and the enabled APIs outlive a stack."""
        return [
            f"the state bucket gs://{self.settings.tfstate_bucket}",
            "the Google Cloud APIs that were enabled",
        ]

    def retire(self, keep_data: bool) -> None:
        """Nothing of the target runs on the operator's machine."""
