"""Google Cloud: the same stack in a project of one's own.

Credentials are Application Default Credentials or Workload Identity; key files are not used.
The VM has no external address: Kestra and PostgreSQL are reached through tunnels of the
command's own (`taxistack.tunnels`), or at the addresses that the settings `kestra_url`,
`postgres_host` and `postgres_port` name instead.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taxi_etl.month import Month
from taxistack import hours, inventory, removal
from taxistack.errors import FailedError, MissingError, TaxistackError, TransientError, UsageError
from taxistack.google import Api, DisabledApiError, GoogleApis, NotFoundError, explain, explained
from taxistack.google.vm import Vm
from taxistack.inventory import Leftover
from taxistack.kestra import KestraClient
from taxistack.removal import Clients, Kept
from taxistack.settings import LOCAL_PROJECT
from taxistack.sources import Source
from taxistack.targets.base import Target
from taxistack.targets.passwords import new_password
from taxistack.targets.source import Say, silent
from taxistack.tunnels import POSTGRES_PORT, NotListening, VmAddress, Ways

if TYPE_CHECKING:
    import psycopg
    from google.cloud import bigquery, storage

    from taxistack.costs import MonthlyCost
    from taxistack.doctor.check import Check
    from taxistack.sweeping import Found, Order
    from taxistack.targets.gcp_vault import GcpVault

PAUSE = 5.0  # seconds between two tries to reach Kestra
ANSWER = 60.0  # seconds for Kestra to answer after the VM said that it is healthy


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
        """The project is named, the VM's hours miss no tick, and Google answers to the operator."""
        hours.check(self.settings.schedule)
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
            answer: storage.Bucket | None = self.storage().lookup_bucket(
                bucket, timeout=(5, 10), retry=retry
            )
            return answer
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
        """A new one; the VM takes it when it starts again, which `up` sees to."""
        return self._fresh_password

    def clear_snapshots(self, say: Say) -> None:
        """Those that bear the stack's labels; what stays is found again by the inventory."""
        self.remove(inventory.snapshots(self.google, self.project, self.settings.name), say)

    def vault(self) -> GcpVault:
        """Snapshots of the data disk, and dumps in the bucket of Kestra's files."""
        from taxistack.targets.gcp_vault import GcpVault

        return GcpVault(self)

    @cached_property
    def ways(self) -> Ways:
        """How this command reaches the VM's servers; closed by `forget`."""
        return Ways(self.settings, self.state_dir, self._vm)

    def _vm(self) -> VmAddress:
        made = self.outputs
        if made.instance is None:
            raise MissingError(
                f"stack {self.settings.name} has no VM: only its data was kept", hint="invoke up"
            )
        return VmAddress(made.instance, made.zone, self.project)

    def forget(self) -> None:
        """Close the clients and then the tunnels that they went through."""
        super().forget()
        if (ways := self.__dict__.pop("ways", None)) is not None:
            ways.close()

    def kestra_url(self) -> str:
        """This command's end of a tunnel to the VM, or what the setting names instead."""
        return self.ways.kestra_url()

    def lasting_kestra_url(self) -> str | None:
        """What the setting names, or the tunnel of a running `invoke tunnel`."""
        return self.ways.lasting_kestra_url()

    @cached_property
    def _kestra(self) -> KestraClient:
        url, way = self.kestra_url(), self.ways.kestra_transport()
        return KestraClient(url, self.settings.kestra_user, self.kestra_password(), way)

    def wait_for_kestra(self, seconds: float = 1200, say: Say = silent) -> str:
        """Wait for the VM's boot script, and then ask Kestra itself.

        The first boot installs Docker and builds the server's image, which takes minutes. A VM
        that runs with older settings is started again. Raises FailedError when the boot failed,
        or is not done after `seconds`; MissingError when the way to the server can't be had.
        """
        machine = self._machine()
        machine.wait_until_healthy(seconds, say)
        return self._ask_kestra(machine.by_hand)

    def _machine(self) -> Vm:
        address = self._vm()
        return Vm(self.google, address.project, address.zone, address.instance)

    def _ask_kestra(self, by_hand: str) -> str:
        # The VM is healthy by its own report; a server that starts anew just now is waited for.
        give_up = time.monotonic() + ANSWER
        while True:
            try:
                return self.kestra().ready()
            except (TransientError, NotListening) as error:
                if time.monotonic() > give_up:
                    raise FailedError(
                        f"the VM says that it is healthy, but Kestra did not answer within "
                        f"{ANSWER:.0f} s: {error}",
                        hint=by_hand,
                    ) from error
                time.sleep(PAUSE)

    def flow_settings(self) -> dict[str, str]:
        """No emulators; PostgreSQL is the VM's own, by its name in the compose file."""
        return {
            "storage_endpoint": "",
            "bigquery_endpoint": "",
            "postgres_host": "postgres",
            "postgres_port": "5432",
            "postgres_database": "taxi",
            "postgres_user": "taxi",
            "maximum_bytes_billed": str(self.maximum_bytes_billed),
        }

    def postgres_address(self) -> dict[str, Any]:
        """This command's end of a tunnel to the VM, or what the settings name instead."""
        return self.ways.postgres_address()

    def lasting_postgres_address(self) -> dict[str, Any] | None:
        """What the settings name, or the tunnel of a running `invoke tunnel`."""
        return self.ways.lasting_postgres_address()

    def postgres(self) -> psycopg.Connection[Any]:
        """A new connection, tried again when the tunnel died under it.

        Where settings name a dead address, the error says which.
        """
        if self.ways.postgres_named:
            try:
                return super().postgres()
            except MissingError as error:
                error.hint = (
                    "the settings postgres_host and postgres_port name that address; with "
                    "neither the command opens a tunnel by itself"
                )
                raise
        tunnel = self.ways.tunnel(POSTGRES_PORT)
        tunnel.ensure()
        opening = tunnel.openings
        try:
            return super().postgres()
        except MissingError:
            if not tunnel.died(opening):
                raise
        return super().postgres()

    @cached_property
    def _storage(self) -> storage.Client:
        return self.google.storage(self.project)

    @cached_property
    def _bigquery(self) -> bigquery.Client:
        return self.google.bigquery(self.project, self.settings.location)

    def check_source(self, source: Source) -> None:
        """A VM can fetch from URLs only; folders and samples are on the operator's machine."""
        self.source_url(source)

    def source_url(self, source: Source) -> str:
        """The public release, or the URL itself."""
        if source.url is None:
            raise UsageError(
                f"--source {source.text}: on target gcp the source must be `public` or a URL "
                "that the VM can reach"
            )
        return source.url

    def serve(self, source: Source) -> None:
        """A URL is served by its own site."""

    @property
    def source_seen_from_here(self) -> bool:
        """The VM's network is not this machine's."""
        return False

    @property
    def serves_samples(self) -> bool:
        """No sample is served to a VM."""
        return False

    def moved_source(self, deployed: str) -> str:
        """A URL stays where it is."""
        return deployed

    def pushing(self, url: str) -> AbstractContextManager[None]:
        """A URL stays where it is: there is nothing to remember."""
        return nullcontext()

    def publish_samples(self, months: Iterable[tuple[str, Month]], say: Say) -> int:
        """No sample is served to a VM."""
        return 0

    def monthly_cost(self) -> MonthlyCost:
        """By the project's table of prices."""
        from taxistack.costs import monthly_cost

        chosen = self.settings
        return monthly_cost(chosen.machine_type, chosen.schedule, chosen.region)

    def nothing_here(self) -> bool:
        """Only Terraform's state can say."""
        return False

    def inventory(self) -> Iterable[Leftover]:
        """Buckets, datasets, and what the REST APIs list by label or name."""
        project, stack = self.project, self.settings.name
        yield from inventory.buckets(self.storage(), project, stack)
        yield from inventory.datasets(self.bigquery(), stack)
        yield from inventory.google_cloud(self.google, project, stack)
        yield from inventory.grants(self.google, project, stack)

    @property
    def clients(self) -> Clients:
        """What the inventory asks, and removals go through."""
        return Clients(self.google, self.storage(), self.bigquery())

    def remove(self, things: Iterable[Leftover], say: Say) -> list[Kept]:
        """One by one, each looked at again: only what bears a mark of the stack goes."""
        return removal.remove(self.clients, self.project, self.settings.name, things, say)

    def what_is_left(self, unknown: list[Leftover]) -> Iterable[Leftover]:
        """Asked again of the services."""
        return self.inventory()

    def exceptions(self) -> list[str]:
        """The state bucket and the enabled APIs outlive a stack."""
        return [
            f"the state bucket gs://{self.settings.tfstate_bucket}",
            "the Google Cloud APIs that were enabled",
        ]

    def sweep(self, order: Order) -> Found:
        """The stacks of the project that runs have made (`taxistack.sweeping.google`)."""
        from taxistack.sweeping.google import Sweep

        return Sweep(self, order).run()

    def doctor_checks(self) -> Iterator[Check]:
        """Credentials, the project with its APIs and permissions, what the tunnels need."""
        from taxistack.doctor import cloud

        return cloud.checks(self)

    def explained(self, error: Exception) -> TaxistackError | None:
        """What Google's client libraries raise."""
        return explained(error)

    @property
    def maximum_bytes_billed(self) -> int | None:
        """From the setting `maximum_gib_billed`."""
        return self.settings.maximum_gib_billed * 2**30

    def retire(self, keep_data: bool, say: Say = silent) -> None:
        """Remove the stack's state from the state bucket once nothing stands in it.

        Nothing of the target runs on the operator's machine. A stack a CI run would leave an
        empty state each for ever; the bucket keeps older versions of it for some days.
        """
        if keep_data:
            return
        bucket = self.storage().bucket(self.settings.tfstate_bucket)
        blob = bucket.get_blob(f"{self.settings.name}/default.tfstate")
        if blob is None or json.loads(blob.download_as_bytes()).get("resources"):
            return
        blob.delete(if_generation_match=blob.generation)
