"""The local cloud: the same stack on this machine, from package registries alone.

The parts (storage, warehouse, PostgreSQL, release site, provider stand-in, Kestra) belong to
`localcloud`; this module only says where they are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

import localcloud.errors
from localcloud import Compose, LocalCloud, State, postgres
from localcloud.google import TYPES, import_id, reattach, recorded_only
from localcloud.google.store import Store
from localcloud.kestra import engine_version, require_built
from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.release import file_name
from taxistack import inventory, scratch, state_folder, zones
from taxistack.errors import FailedError, LockedError, MissingError, TaxistackError, UsageError
from taxistack.inventory import Leftover
from taxistack.removal import Kept
from taxistack.sources import SAMPLES_IN_WORDS, Source
from taxistack.targets.base import INFRA, Say, Target
from taxistack.terraform import Plan, StateLockedError, Terraform, TerraformError

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

    from taxistack.doctor.check import Check
    from taxistack.sweeping import Found, Order
    from taxistack.targets.local_vault import LocalVault

_LAST_URL = "releases.url"  # where the release site was when the flows learnt of it
_MADE = ".made"  # the sample months and the zones that we wrote, a line each
KESTRA = INFRA / "kestra"


class LocalTarget(Target):
    """One stack on the local cloud below the state folder."""

    name = "local"

    @cached_property
    def cloud(self) -> LocalCloud:
        """The local cloud of this state folder, running or not."""
        return LocalCloud(self.settings.state / "cloud")

    def running(self) -> State:
        """The endpoints of the parts. Raises MissingError when the local cloud is stopped."""
        state = self.cloud.state()
        if state is None:
            raise MissingError(
                f"the local cloud in {self.settings.state} does not run",
                hint="invoke up (or `invoke start` after `invoke stop`)",
            )
        return state

    def compose(self) -> Compose:
        """The server in containers that the setting `kestra: docker` asks for."""
        files = (KESTRA / "compose.yaml", KESTRA / "compose.local.yaml")
        return Compose.with_docker_of(os.environ, files, project=self.settings.name)

    def _present(self) -> str | None:
        """The setting `kestra` that the stack's instance goes with; None: there is none."""
        in_containers = self.cloud.instance_in_containers()
        return None if in_containers is None else ("docker" if in_containers else "embedded")

    def check(self) -> None:
        """Docker is there where it is asked for, and the instance is not one of the other kind.

        A server's executions and their logs can't move between the two kinds, and to lose them
        has to be asked for.
        """
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

        Raises UsageError when the local cloud holds a stack of another name or project.
        """
        self._refuse_another_stack()
        state_folder.claim(self.settings.state)
        # An `up` that makes the instance holds the local cloud for as long as that takes: who comes
        # second is to be told by Terraform's lock, at once, and not to wait for the first.
        if not self.cloud.answers():
            if self.cloud.state() is None:
                say("starting the local cloud")
            self.cloud.start()
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
        found = self._ask_storage("GET", f"b/{bucket}/o/{quote(name, safe='')}")
        if found.status_code != httpx.codes.OK:
            return None  # no state yet: Terraform says that
        state = found.json()
        return f"{bucket}/{name} {state['generation']} {state['md5Hash']}"

    def _ask_storage(self, method: str, path: str, **content: str) -> httpx.Response:
        """One plain call of Cloud Storage's JSON API: Google's client takes longer to load."""
        state = self.running()
        return httpx.request(
            method,
            f"{state.storage.address}/storage/v1/{path}",
            headers={"Authorization": f"Bearer {state.key}"},
            json=content or None,
            timeout=30,
            trust_env=False,
        )

    def _refuse_another_stack(self) -> None:
        # One local cloud holds one stack, and `down` takes it away as a whole.
        for one in self._recorded("google_storage_bucket", "google_bigquery_dataset"):
            here = {"name": one["effective_labels"].get("stack"), "project": one["project"]}
            for setting, value in here.items():
                if value not in (None, asked := getattr(self.settings, setting)):
                    raise UsageError(
                        f"setting {setting}: the local cloud in {self.settings.state} holds the "
                        f"stack of {setting} {value}, not {asked}",
                        hint="A second stack on this machine needs a folder of its own (setting "
                        "`state`).",
                    )

    def _recorded(self, *kinds: str) -> Iterator[dict[str, Any]]:
        # What the provider stand-in holds of these types, whether or not it runs.
        path = self.cloud.layout.data("google") / "objects.db"
        try:
            if not path.exists():
                return
            store = Store(path)
            for kind in kinds:
                yield from (found for id_ in store.ids(kind) if (found := store.get(kind, id_)))
        except sqlite3.OperationalError as error:
            raise MissingError(
                f"what the local cloud holds can't be read: {path}: {error}",
                hint="Is the disk full, or read-only? `invoke stop` and `invoke down` need no free "
                "space.",
            ) from None

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

    # --- month files ------------------------------------------------------------------------

    @property
    def _samples(self) -> Path:
        return self.settings.state / "releases"

    def check_source(self, source: Source) -> None:
        """A URL, a folder that is there, or `sample`: a folder that we fill."""
        if source.folder and not source.folder.is_dir():
            raise UsageError(
                f"--source {source.folder}: is neither `sample`, `public`, a URL nor a folder "
                "(a folder holds <taxi>/<taxi>_tripdata_<YYYY-MM>.csv.gz)"
            )

    def source_url(self, source: Source) -> str:
        """A folder and the samples are on the release site."""
        self.check_source(source)
        return source.url or self.running().releases.url

    def serve(self, source: Source) -> None:
        """Point the release site at the folder; `sample` is a folder that we fill."""
        if source.url is None:
            folder = source.folder or self._samples
            if folder == self._samples:
                folder.mkdir(parents=True, exist_ok=True)
                if (made := zones.publish(folder)) is not None:
                    self._note_made(made)
            self.cloud.serve(folder)

    @property
    def source_words(self) -> str:
        """The folder or the samples behind the release site's address."""
        if self.serves_samples:
            return SAMPLES_IN_WORDS
        if self.source == self.running().releases.url:
            return f"folder {self.cloud.release_folder}"
        return super().source_words

    @property
    def serves_samples(self) -> bool:
        """The source is the release site, and that serves the folder which we fill."""
        here = self.running().releases.url
        return self.source == here and self.cloud.release_folder == self._samples

    def moved_source(self, deployed: str) -> str:
        """A source on the release site follows it to its port of today.

        The release site is the only source on 127.0.0.1 whose port can change by itself: it
        is known by the URLs that it had when something was deployed.
        """
        return self.running().releases.url if deployed in self._own_urls() else deployed

    @contextlib.contextmanager
    def pushing(self, url: str) -> Iterator[None]:
        """Remember the release site's URL before the push, and forget the former one after it.

        A push that is cut off has left the one or the other: both are followed then.
        """
        own = {url} if url == self.running().releases.url else set()
        self._note_urls(self._own_urls() | own)
        yield
        self._note_urls(own)

    def postgres_programs(self) -> Path:
        """The folder of the local PostgreSQL's own programs."""
        return postgres.programs()

    def served(self) -> dict[str, str]:
        """What the release site serves and where, for a backup."""
        return {"url": self.running().releases.url, "folder": str(self.cloud.release_folder)}

    def serve_again(self, formerly: dict[str, str]) -> None:
        """Serve what a backup's stack served, and know its release site's URL as this one's."""
        self._note_urls(self._own_urls() | {formerly["url"]})
        folder = Path(formerly["folder"])
        if folder == self._samples:
            folder.mkdir(parents=True, exist_ok=True)
        if folder.is_dir():
            self.cloud.serve(folder)

    @property
    def _url_note(self) -> Path:
        return self.state_dir / _LAST_URL

    def _own_urls(self) -> set[str]:
        return set(self._url_note.read_text().split()) if self._url_note.exists() else set()

    def _note_urls(self, urls: set[str]) -> None:
        fresh = self._url_note.with_name(".releases.url.new")
        fresh.write_text("".join(f"{url}\n" for url in sorted(urls)))
        fresh.replace(self._url_note)

    def publish_samples(self, months: Iterable[tuple[str, Month]], say: Say) -> int:
        """Write the sample months that the release site does not have yet.

        Nothing when the flows load from anything else: those months are what they are.
        """
        if not self.serves_samples:
            return 0
        written = 0
        for taxi, month in months:
            target = self._samples / taxi / file_name(taxi, month)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                self._note_made(target)
                sample.write(target, taxi, month, self.settings.sample_rows)
                written += 1
        if written:
            say(f"made {written} sample months of {self.settings.sample_rows:,} rows each")
        return written

    def _note_made(self, path: Path) -> None:
        with (self._samples / _MADE).open("a", encoding="utf-8") as made:
            made.write(f"{path.relative_to(self._samples)}\n")

    # --- taking it away ---------------------------------------------------------------------

    def nothing_here(self) -> bool:
        """No folder, or one from which everything was erased; and no process of it."""
        return not (self.cloud.layout.state.exists() or self.cloud.runs())

    def inventory(self) -> Iterable[Leftover]:
        """Buckets, datasets, and whatever the provider stand-in still holds."""
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

    def stop(self) -> bool:
        """Stop the local cloud's parts."""
        running = self.cloud.runs()
        if running:
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
        """What exists here under a name of the stack is the stack's: nobody else has a hand in."""
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

    def retire(self, keep_data: bool) -> None:
        """Stop the parts; what they hold goes too, unless the data is kept."""
        self.cloud.stop()
        if not keep_data:
            self.cloud.erase()
            self._remove_samples()
            shutil.rmtree(self.settings.state / "terraform" / self.name, ignore_errors=True)
            here = self.settings.state / self.name
            for path in here.glob(f"{scratch.PREFIX}*"):
                shutil.rmtree(path, ignore_errors=True)
            (here / _LAST_URL).unlink(missing_ok=True)
            for folder in (here, self.settings.state / "terraform"):
                with contextlib.suppress(OSError):  # what the user put there is theirs to remove
                    folder.rmdir()
            state_folder.release(self.settings.state)

    def _remove_samples(self) -> None:
        """The files that we made; a file of the user's stays."""
        made = self._samples / _MADE
        for line in made.read_text(encoding="utf-8").splitlines() if made.exists() else ():
            path = self._samples / line
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        made.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._samples.rmdir()
