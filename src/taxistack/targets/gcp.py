"""Google Cloud: the same stack in a project of one's own.

Credentials are Application Default Credentials or Workload Identity; key files are not used.
The VM has no external address: Kestra and PostgreSQL are reached through IAP tunnels that the
operator opens, at the addresses of the settings `kestra_url`, `postgres_host`, `postgres_port`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taxi_etl.month import Month
from taxistack import inventory
from taxistack.errors import MissingError, UsageError
from taxistack.google import Api, DisabledApiError, GoogleApis, NotFoundError, explain
from taxistack.google.vm import Vm
from taxistack.inventory import Leftover
from taxistack.targets.base import Say, Target, new_password, public_or_url, silent

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

LOCAL_PROJECT = "taxistack-local"
"""The setting `project` as invoke.yaml has it: the local target's, and nobody's on Google Cloud."""


class GcpTarget(Target):
    """One stack in a Google Cloud project."""

    name = "gcp"

    @property
    def project(self) -> str:
        """The project. Raises UsageError when the setting was forgotten."""
        if self.settings.project == LOCAL_PROJECT:
            raise UsageError(
                f"setting project: {LOCAL_PROJECT} is the local target's; on target gcp it must "
                "name your Google Cloud project",
                hint="export INVOKE_TAXISTACK_PROJECT=…, or set it in invoke.yaml",
            )
        return self.settings.project

    def check(self) -> None:
        """The project is named, and Google answers to the operator's credentials."""
        self.check_access()

    def check_access(self) -> None:
        """Network and credentials, once, within 15 seconds."""
        _ = self.project
        self.google.check()

    def prepare(self, say: Say) -> None:
        """Check credentials and that the state bucket exists (`setup` makes it)."""
        self.check_access()
        bucket = self.settings.tfstate_bucket
        if self._lookup(bucket) is None:
            raise MissingError(
                f"the state bucket gs://{bucket} does not exist",
                hint="invoke setup makes it, once a project; setting state_bucket names another",
            )
        say(f"project {self.project}, state in gs://{bucket}")

    def _lookup(self, bucket: str) -> storage.Bucket | None:
        # The library would try for two minutes, which is long for the first thing of a command.
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.storage.retry import DEFAULT_RETRY
        from requests import RequestException

        retry = DEFAULT_RETRY.with_timeout(10)
        try:
            return self.storage().lookup_bucket(bucket, timeout=(5, 10), retry=retry)
        except (GoogleAPIError, GoogleAuthError, RequestException) as error:
            raise explain(error, f"the state bucket gs://{bucket}") or error from error

    def terraform_environment(self) -> Mapping[str, str]:
        """Nothing: provider and backend find credentials and addresses as the kit does."""
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
        path = f"projects/{self.project}/secrets/{secret_id}/versions/latest:access"
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
        for name in inventory.delete_snapshots(self.google, self.project, self.settings.name):
            say(f"  deleted snapshot {name}")

    def kestra_url(self) -> str:
        """The operator's end of the tunnel to the VM's port 8080."""
        if self.settings.kestra_url:
            return self.settings.kestra_url.rstrip("/")
        raise MissingError(
            "the VM has no external address: open a tunnel and name it in the setting kestra_url",
            hint=f"gcloud compute start-iap-tunnel {self.settings.name}-kestra 8080 "
            f"--local-host-port=127.0.0.1:8080 --zone {self.settings.zone} "
            f"--project {self.project}",
        )

    def wait_for_kestra(self, seconds: float = 1200, say: Say = silent) -> str | None:
        """Wait for the VM's boot script, then ask Kestra; None where no way to it is open.

        The first boot installs Docker and builds the server's image, which takes minutes. A VM
        that runs with older settings is started again. Raises FailedError when the boot failed,
        or is not done after `seconds`.
        """
        made = self.outputs
        if made.instance is None:
            raise MissingError("the stack has no server: only its data was kept", hint="invoke up")
        vm = Vm(self.google, self.project, made.zone, made.instance)
        vm.wait_until_healthy(seconds, say)
        try:
            return super().wait_for_kestra(say=say)
        except MissingError:
            return None

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
        return self.google.storage(self.project)

    @cached_property
    def _bigquery(self) -> bigquery.Client:
        return self.google.bigquery(self.project, self.settings.location)

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
        project, stack = self.project, self.settings.name
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
