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
from taxistack.inventory import Leftover
from taxistack.targets.base import Say, Target, new_password, public_or_url

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud import bigquery, storage

SECRETS = "https://secretmanager.googleapis.com/v1"
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
    def _session(self) -> AuthorizedSession:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
        from google.auth.transport.requests import AuthorizedSession

        try:
            credentials, _ = google.auth.default(
                scopes=["https://www.googleapis.com/auth/cloud-platform"]
            )
        except DefaultCredentialsError:
            raise MissingError(
                "no Google Cloud credentials on this machine",
                hint="gcloud auth application-default login (key files are not needed)",
            ) from None
        return AuthorizedSession(credentials)

    def read_secret(self, secret_id: str) -> str | None:
        """Ask Secret Manager (REST `versions/latest:access`)."""
        path = f"projects/{self.settings.project}/secrets/{secret_id}/versions/latest:access"
        answer = self._session.get(f"{SECRETS}/{path}", timeout=30)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise FailedError(f"secret {secret_id}: Secret Manager answered {answer.status_code}")
        return base64.b64decode(answer.json()["payload"]["data"]).decode()

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
            self._session, self.settings.project, self.settings.name
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
        from google.auth.exceptions import TransportError
        from requests.exceptions import RequestException

        url = f"{inventory.COMPUTE}/{self.settings.project}/zones/{zone}/instances/{vm}"
        try:
            answer = self._session.get(
                f"{url}/getGuestAttributes", params={"queryPath": "taxistack/boot"}, timeout=30
            )
        except (RequestException, TransportError):  # the next look may get through
            return ""
        if answer.status_code == 404:  # nothing is written yet
            return ""
        if answer.status_code != 200:
            raise FailedError(f"guest attributes of {vm}: HTTP {answer.status_code}")
        return str(answer.json()["queryValue"]["items"][0]["value"])

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
        # Cloud Storage with the operator's credentials.
        from google.cloud import storage

        return storage.Client(project=self.settings.project, _http=self._session)

    @cached_property
    def _bigquery(self) -> bigquery.Client:
        # BigQuery with the operator's credentials.
        from google.cloud import bigquery

        return bigquery.Client(
            project=self.settings.project, location=self.settings.location, _http=self._session
        )

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
        yield from inventory.google_cloud(self._session.get, project, stack)

    def exceptions(self) -> list[str]:
        """The state bucket and the enabled APIs outlive a stack."""
        return [
            f"the state bucket gs://{self.settings.tfstate_bucket}",
            "the Google Cloud APIs that were enabled",
        ]

    def retire(self, keep_data: bool) -> None:
        """Nothing of the target runs on the operator's machine."""
