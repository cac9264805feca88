"""The local cloud: the same stack on this machine, from package registries alone.

The parts (storage, warehouse, PostgreSQL, release site, provider stand-in, Kestra) belong to
`localcloud`; this module only says where they are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

import localcloud.errors
from localcloud import Compose, calls, postgres
from localcloud.google import TYPES, import_id, reattach, recorded_only
from localcloud.google.store import Store
from localcloud.kestra import engine_version, require_built
from taxistack import inventory, scratch, state_folder
from taxistack.errors import FailedError, LockedError, MissingError, TaxistackError, UsageError
from taxistack.inventory import Leftover
from taxistack.removal import Kept
from taxistack.targets import local_records
from taxistack.targets.base import INFRA
from taxistack.targets.local_source import LAST_URL, LocalSource
from taxistack.targets.source import Say, silent
from taxistack.terraform import Plan, StateLockedError, Terraform, TerraformError, at_rest

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

    from taxistack.doctor.check import Check
    from taxistack.sweeping import Found, Order
    from taxistack.targets.local_vault import LocalVault

KESTRA = INFRA / "kestra"


class LocalTarget(LocalSource):
    """One stack on the local cloud below the state folder."""

    name = "local"

    def compose(self) -> Compose:
        """The server in containers that the setting `kestra: docker` asks for."""
        files = (KESTRA / "compose.yaml", KESTRA / "compose.local.yaml")
        return Compose.with_docker_of(os.environ, files, project=self.settings.name)

    def _present(self) -> str | None:
        """The setting `kestra` that the stack's instance goes with; None: there is none."""
        in_containers = self.cloud.instance_in_containers()
        return None if in_containers is None else ("docker" if in_containers else "embedded")

    def check(self) -> None:
        """Zone and region fit, Docker is there where it is asked for, the instance is not of the
        other kind.

        A server's executions and their logs can't move between the two kinds, and to lose them
        has to be asked for.
        """
        region, zone = self.settings.region, self.settings.zone
        if zone and zone.rpartition("-")[0] != region:
            raise UsageError(
                f"setting zone: {zone} is not in region {region}",
                hint=f"a zone of the region, such as {region}-b, or none",
            )
        chosen, present = self.settings.kestra, self._present()
        if present not in (None, chosen):
            raise UsageError(
                f"setting kestra: this stack's Kestra is {present}, and can't become {chosen}: "
                "its executions and their logs would be lost",
                hint=f"keep kestra: {present}; or `invoke down --keep-data`, which removes the "
                f"server and keeps lake and tables, then `invoke up` with kestra: {chosen} and "
                "`invoke deploy-flows`",
            )
        if chosen == "embedded":
            if present is None:
                require_built(self.cloud.cache)
            else:  # it goes with the cache that it was made with
                self.cloud.check_instance()
            return
        try:
            self.compose().check()
        except localcloud.errors.MissingError as error:
            raise MissingError(
                f"setting kestra: docker can't be had on this machine: {error.message}",
                hint=f"{error.hint} Or set kestra: embedded, which needs no Docker.",
            ) from None

    def check_access(self) -> None:
        """Nothing: what does not run says so when it is asked."""

    def prepare(self, say: Say) -> None:
        """Start the parts, choose Kestra's kind, make the bucket for Terraform's state.

        Not all of them answer yet then: see `wait_for_kestra` and `inventory`.

        Raises UsageError when the local cloud holds a stack of another name or project.
        """
        local_records.refuse_another_stack(self.cloud, self.settings)
        state_folder.claim(self.settings.state)
        # An `up` that makes the instance holds the local cloud for as long as that takes: who comes
        # second is to be told by Terraform's lock, at once, and not to wait for the first.
        if not self.cloud.answers():
            if self.cloud.state() is None:
                say("starting the local cloud")
            # What Terraform itself needs; the rest is starting while it works, and Kestra then too.
            self.cloud.start(until=("storage", "google"))
        if self._present() in (None, self.settings.kestra):
            docker = self.settings.kestra == "docker"
            self.cloud.run_instance_as(self.compose() if docker else None)
        bucket = self.settings.tfstate_bucket
        if self._ask_storage("GET", f"b/{bucket}").status_code == httpx.codes.NOT_FOUND:
            made = self._ask_storage("POST", f"b?project={self.settings.project}", name=bucket)
            made.raise_for_status()

    def state_version(self) -> str | None:
        """Generation and hash of the state's object."""
        bucket, name = self.settings.tfstate_bucket, f"{self.settings.name}/default.tfstate"
        answer = self._ask_storage("GET", f"b/{bucket}/o/{quote(name, safe='')}")
        if answer.status_code != httpx.codes.OK:
            return None  # no state yet: Terraform says that
        state = answer.json()
        return f"{bucket}/{name} {state['generation']} {state['md5Hash']}"

    def _ask_storage(self, method: str, path: str, **content: str) -> httpx.Response:
        """One plain call of Cloud Storage's JSON API: Google's client takes longer to load."""
        state = self.running()
        url = f"{state.storage.address}/storage/v1/{path}"
        return calls.call(method, url, state.key, content or None)

    def variables(self) -> dict[str, Any]:
        """As on Google Cloud; the embedded engine's version is its own, not the setting's."""
        shared = super().variables()
        if self.settings.kestra == "docker":
            return shared
        return {**shared, "kestra_version": engine_version()}

    def terraform_environment(self) -> Mapping[str, str]:
        """The provider stand-in instead of the registry's provider, and the way to the state.

        Go's client reads objects from the root of the host, so it sends the key as its token. Here
        and not in the backend's configuration, which stands in Terraform's argv and its files.
        """
        return {
            "TF_REATTACH_PROVIDERS": reattach(self.running()),
            "GOOGLE_OAUTH_ACCESS_TOKEN": self.running().key,
        }

    def terraform_backend(self) -> Mapping[str, str]:
        """The state bucket on the storage emulator, locking included."""
        return {
            "bucket": self.settings.tfstate_bucket,
            "prefix": self.settings.name,
            "storage_custom_endpoint": f"{self.running().storage.address}/storage/v1/",
        }

    def read_secret(self, secret_id: str) -> str | None:
        """From the local cloud's private store."""
        store = self.cloud.secrets
        return store.get(secret_id) if store.versions(secret_id) else None

    def postgres_password(self) -> str:
        """The password that the local PostgreSQL was made with."""
        return self.running().postgres.password

    def rotated_postgres_password(self) -> str:
        """The same: the local server's password is made with its cluster and goes with it."""
        return self.postgres_password()

    def clear_snapshots(self, say: Say) -> None:
        """The local cloud takes no snapshots."""

    def check_upgrade(self) -> None:
        """It is the clone's: always refused."""
        raise UsageError(
            "upgrade: the local engine's version is the clone's own, no setting",
            hint="invoke backup; then the newer clone's scripts/bootstrap and invoke start: the "
            "engine brings its data up to date, and refuses those of a newer one",
        )

    def vault(self) -> LocalVault:
        """A folder below the state folder."""
        from taxistack.targets.local_vault import LocalVault

        return LocalVault(self)

    def kestra_url(self) -> str:
        """The instance's address, be it the embedded engine or a server in containers."""
        kestra = self.running().kestra
        if kestra.url is None or kestra.state != "RUNNING":
            raise MissingError(
                "Kestra does not run: its instance was not created or was stopped",
                hint="invoke up",
            )
        return kestra.url

    def wait_for_kestra(self, seconds: float = 300, say: Say = silent) -> str:
        """Wait for the other parts too: `prepare` does not."""
        self.cloud.wait()
        return super().wait_for_kestra(seconds, say)

    def was_stopped(self) -> bool:
        """The supervisor, which heals what crashes, is gone."""
        return self.cloud.state() is None

    @property
    def task_types(self) -> str | None:
        """What the embedded engine is built with (src/localcloud/kestra/java)."""
        if self.settings.kestra != "embedded":
            return None
        return (
            "the embedded engine has the types io.kestra.plugin.core.*, and python.Commands and "
            "shell.Commands of io.kestra.plugin.scripts; with the setting kestra: docker the "
            "server has all plugins of Kestra's image"
        )

    def flow_settings(self) -> dict[str, str]:
        """The emulators' endpoints, without their key, and the local PostgreSQL."""
        state = self.running()
        return {
            "storage_endpoint": state.storage.address,
            "bigquery_endpoint": state.warehouse.address,
            "postgres_host": state.postgres.host,
            "postgres_port": str(state.postgres.port),
            "postgres_database": state.postgres.database,
            "postgres_user": state.postgres.user,
            "maximum_bytes_billed": "",
        }

    def emulators(self) -> dict[str, str]:
        """The endpoints with their key."""
        state = self.running()
        return {
            "STORAGE_EMULATOR_HOST": state.storage.url,
            "BIGQUERY_EMULATOR_HOST": state.warehouse.url,
        }

    def postgres_address(self) -> dict[str, Any]:
        """The local PostgreSQL."""
        server = self.running().postgres
        return {
            "host": server.host,
            "port": server.port,
            "dbname": server.database,
            "user": server.user,
        }

    @cached_property
    def _storage(self) -> storage.Client:
        from google.cloud import storage

        return storage.Client(
            project=self.settings.project,
            credentials=self._credentials(),
            client_options={"api_endpoint": self.running().storage.address},
        )

    @cached_property
    def _bigquery(self) -> bigquery.Client:
        from google.cloud import bigquery

        return bigquery.Client(
            project=self.settings.project,
            credentials=self._credentials(),
            client_options={"api_endpoint": self.running().warehouse.address},
        )

    def _credentials(self) -> Any:
        # As a token, and not in the endpoint: the messages of Google's client name addresses.
        from google.oauth2.credentials import Credentials

        return Credentials(token=self.running().key)

    def postgres_programs(self) -> Path:
        """The folder of the local PostgreSQL's own programs."""
        return postgres.programs()

    # --- taking it away ---------------------------------------------------------------------

    def nothing_here(self) -> bool:
        """No folder, or one from which everything was erased; and no process of it."""
        return not (self.cloud.layout.state.exists() or self.cloud.runs())

    def inventory(self) -> Iterable[Leftover]:
        """Buckets, datasets, and whatever the provider stand-in still holds."""
        self.cloud.wait("storage", "warehouse")
        yield from inventory.buckets(self.storage(), self.settings.project, self.settings.name)
        yield from inventory.datasets(self.bigquery(), self.settings.name)
        store = Store(self.cloud.layout.data("google") / "objects.db")
        for kind in TYPES:
            yield from (Leftover(kind, name) for name in store.ids(kind))

    def remove(self, things: Iterable[Leftover], say: Say) -> list[Kept]:
        """Nothing yet: they go with the local cloud, as a whole (`retire`)."""
        return []

    def what_is_left(self, unknown: list[Leftover]) -> list[Leftover]:
        """All of it while the local cloud is there."""
        return [] if self.nothing_here() else unknown

    def exceptions(self) -> list[str]:
        """The backups; the state bucket goes with the local cloud."""
        vault = self.vault()
        count = len(vault.names())
        return [f"{count} backup{'s' if count > 1 else ''} in {vault.folder}"] if count else []

    def sweep(self, order: Order) -> Found:
        """Stacks in other state folders, engine builds (`taxistack.sweeping.local`)."""
        from taxistack.sweeping.local import sweep

        return sweep(self, order)

    def doctor_checks(self) -> Iterator[Check]:
        """The machine, and the engine or Docker."""
        from taxistack.doctor import local

        return local.checks(self)

    def explained(self, error: Exception) -> TaxistackError | None:
        """What the local cloud raises."""
        if not isinstance(error, localcloud.errors.CloudError):
            return None
        kind: type[TaxistackError] = FailedError
        if isinstance(error, (localcloud.errors.FolderError, localcloud.errors.MissingError)):
            kind = MissingError
        elif isinstance(error, localcloud.errors.BusyError):
            kind = LockedError
        return kind(str(error), hint=error.hint)

    def kestras_page(self) -> str | None:
        """Of a server in containers: the embedded engine has none."""
        return super().kestras_page() if self.cloud.instance_in_containers() else None

    def parts(self) -> list[dict[str, Any]]:
        """The parts of the local cloud."""
        return [asdict(part) for part in self.cloud.status()]

    def stop(self, say: Say = silent) -> bool:
        """Stop the local cloud's parts, when no Terraform works with them."""
        running = self.cloud.runs()
        if running:
            with at_rest(self._data_dir, say):
                self.cloud.stop()
        return running

    def start(self) -> bool:
        """Start the local cloud's parts, the instance too if it is to run."""
        self.cloud.start()
        self.forget()
        return self.cloud.instance_state() == "RUNNING"

    @property
    def asks(self) -> bool:
        """Nothing costs anything here, and nobody else is there."""
        return False

    def adopt(self, terraform: Terraform, planned: Plan, error: TerraformError) -> list[str]:
        """What bears a name of the stack here is the stack's: nobody else uses the local cloud."""
        return terraform.adopt(planned, error, import_id)

    def recorded_only(self, kind: str) -> bool:
        """Types of which the provider stand-in keeps a record."""
        return recorded_only(kind)

    @property
    def retires_unknown(self) -> bool:
        """The local cloud goes as a whole."""
        return True

    def can_go_without_terraform(self, error: Exception) -> bool:
        """It can, unless somebody else is at work on it: the stack is what the folder holds."""
        if isinstance(error, (StateLockedError, localcloud.errors.BusyError)):
            return False
        stopped = (OSError, localcloud.errors.CloudError, MissingError, TerraformError)
        return isinstance(error, stopped)

    def retire(self, keep_data: bool, say: Say = silent) -> None:
        """Stop the parts; what they hold goes too, unless the data is kept."""
        with at_rest(self._data_dir, say):
            self.cloud.stop(now=not keep_data)
        if not keep_data:
            self.cloud.erase()
            self.remove_samples()
            shutil.rmtree(self.settings.state / "terraform" / self.name, ignore_errors=True)
            here = self.settings.state / self.name
            for path in here.glob(f"{scratch.PREFIX}*"):
                shutil.rmtree(path, ignore_errors=True)
            (here / LAST_URL).unlink(missing_ok=True)
            for folder in (here, self.settings.state / "terraform"):
                with contextlib.suppress(OSError):  # what the user put there is theirs to remove
                    folder.rmdir()
            state_folder.release(self.settings.state)
