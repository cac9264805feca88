"""What a target hands out: endpoints, clients, credentials and Terraform, for both targets alike.

Everything that differs between the local cloud and Google Cloud stands in `targets/`; the
commands, flows, HCL and scripts are the same for both.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_etl import surroundings
from taxistack import state_folder
from taxistack.errors import FailedError, MissingError, TaxistackError, UsageError
from taxistack.inventory import Leftover
from taxistack.kestra import KestraClient, Unauthorized
from taxistack.removal import Kept
from taxistack.settings import ROOT, Settings
from taxistack.targets.outputs import Known, Outputs, known
from taxistack.targets.passwords import Passwords
from taxistack.targets.source import Say, Sourced, silent
from taxistack.terraform import Plan, Terraform, TerraformError

if TYPE_CHECKING:
    import psycopg
    from google.cloud.bigquery import Client as BigQueryClient
    from google.cloud.storage import Client as StorageClient

    from taxistack.backups.vault import Vault
    from taxistack.costs import MonthlyCost
    from taxistack.doctor.check import Check
    from taxistack.google import GoogleApis
    from taxistack.sweeping import Found, Order
    from taxistack.tunnels import Ways

INFRA = ROOT / "infra"


class Target(Passwords, Sourced):
    """One stack on one target. Clients are made when first asked for and then kept."""

    name: str

    def __init__(self, settings: Settings) -> None:
        """`settings`: checked settings; nothing is contacted yet.

        Raises UsageError for a state folder that taxistack did not make.
        """
        self.settings = settings
        state_folder.check(settings.state)

    # --- what the targets differ in ------------------------------------------------------

    @abstractmethod
    def check(self) -> None:
        """Whether the stack can be as the settings say; asked before anything is started.

        Raises MissingError for what is not on this machine, UsageError for a setting that does
        not go with the stack that is up.
        """

    @abstractmethod
    def check_access(self) -> None:
        """Whether the target can be reached at all, told within seconds; before Terraform runs.

        Raises MissingError, or UsageError for a setting that was forgotten.
        """

    @abstractmethod
    def prepare(self, say: Say) -> None:
        """Make Terraform runnable: the local parts run, or credentials and state are there."""

    @abstractmethod
    def terraform_environment(self) -> Mapping[str, str]:
        """What Terraform's process needs in its environment on this target."""

    @abstractmethod
    def terraform_backend(self) -> Mapping[str, str]:
        """Backend configuration of the state bucket on this target."""

    @abstractmethod
    def clear_snapshots(self, say: Say) -> None:
        """Delete the snapshots that the stack's schedule made: Terraform does not know them."""

    def check_upgrade(self) -> None:
        """Whether the server's version is a setting's, and can be raised. Raises UsageError."""
        self.check_access()

    @abstractmethod
    def vault(self) -> Vault:
        """The backups of what can't be loaded again."""

    @abstractmethod
    def kestra_url(self) -> str:
        """Where Kestra's API answers. Raises MissingError when it does not run."""

    @abstractmethod
    def flow_settings(self) -> dict[str, str]:
        """The endpoints that the flows need on this target, as KV pairs."""

    def emulators(self) -> dict[str, str]:
        """Variables by which Google's clients find the emulators; secret. None on Google Cloud."""
        return {}

    @abstractmethod
    def postgres_address(self) -> dict[str, Any]:
        """Host, port, database and user of PostgreSQL as the operator reaches it."""

    @abstractmethod
    def nothing_here(self) -> bool:
        """True when the target sees by itself, without Terraform, that no stack is up."""

    @abstractmethod
    def inventory(self) -> Iterable[Leftover]:
        """What still exists of the stack, asked of the services themselves."""

    @abstractmethod
    def remove(self, things: Iterable[Leftover], say: Say) -> list[Kept]:
        """Remove what `inventory` found and Terraform does not know; those that stay, and why."""

    @abstractmethod
    def what_is_left(self, unknown: list[Leftover]) -> Iterable[Leftover]:
        """What exists of the stack after `remove` and `retire`; `unknown`: what did before."""

    @abstractmethod
    def exceptions(self) -> list[str]:
        """What `down` leaves on purpose, in words."""

    @abstractmethod
    def sweep(self, order: Order) -> Found:
        """Find what lost runs have left here, judge it, and remove it if `order` says so."""

    @abstractmethod
    def doctor_checks(self) -> Iterator[Check]:
        """The checks of `doctor`: what this target needs of the machine and of the project."""

    @abstractmethod
    def explained(self, error: Exception) -> TaxistackError | None:
        """The kit's own error for one of this target's libraries; None for any other error."""

    @property
    def google(self) -> GoogleApis | None:
        """Google's APIs with the operator's credentials; None where nothing of Google's is used."""
        return None

    @property
    def ways(self) -> Ways | None:
        """How this command reaches servers on a VM; None where they are on this machine."""
        return None

    def kestras_page(self) -> str | None:
        """The address of Kestra's own page, None for a server that has none."""
        return f"{self.kestra_url()}/ui/"

    # What runs on this machine for the stack: nothing, where the stack is in Google Cloud.

    def parts(self) -> list[dict[str, Any]]:
        """The parts on this machine as `status` shows them."""
        return []

    def stop(self, say: Say = silent) -> bool:
        """Stop them and keep their data; False when none ran.

        Raises UsageError on a target that runs nothing here.
        """
        raise UsageError(f"stop is for the local target; this is {self.name}")

    def start(self) -> bool:
        """Start them again; False when there is no Kestra among them yet.

        Raises UsageError on a target that runs nothing here.
        """
        raise UsageError(f"start is for the local target; this is {self.name}")

    # How Terraform's work is watched over: in Google Cloud others have a hand in it too.

    @property
    def asks(self) -> bool:
        """Whether a person approves of what `up` is about to change."""
        return True

    def adopt(self, terraform: Terraform, planned: Plan, error: TerraformError) -> list[str]:
        """Take what exists already, and is the stack's without doubt, into Terraform's state.

        `error`: what `planned` ended with. The addresses; none where it may be somebody else's.
        """
        return []

    def recorded_only(self, kind: str) -> bool:
        """Whether a resource of this type is a record and nothing else."""
        return False

    def can_go_without_terraform(self, error: Exception) -> bool:
        """Whether `retire` alone removes the whole stack, after `error` has stopped Terraform."""
        return False

    @property
    def retires_unknown(self) -> bool:
        """Whether `retire` takes away what Terraform does not know of the stack too."""
        return False

    @abstractmethod
    def retire(self, keep_data: bool, say: Say = silent) -> None:
        """After the stack is destroyed: take away what the target itself runs."""

    # --- what they share ------------------------------------------------------------------

    @property
    def state_dir(self) -> Path:
        """The folder that keeps this target's state on the operator's machine."""
        state_folder.claim(self.settings.state)
        folder = self.settings.state / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def secret_version(self) -> int | None:
        """As the outputs say."""
        try:
            return self.outputs.secret_version
        except MissingError:
            return None

    def variables(self) -> dict[str, Any]:
        """The variables of the Terraform root; none of them is secret."""
        chosen = self.settings
        return {
            "name": chosen.name,
            "environment": chosen.environment,
            "run": chosen.run,
            "project": chosen.project,
            "region": chosen.region,
            "zone": chosen.zone or None,
            "location": chosen.location or None,
            "machine_type": chosen.machine_type,
            "schedule": chosen.schedule or None,
            "deletion_protection": chosen.deletion_protection,
            "soft_delete_days": chosen.soft_delete_days,
            "secret_version": chosen.secret_version,
            "kestra_version": chosen.kestra_version,
            "kestra_user": chosen.kestra_user,
            "alarm_email": chosen.alarm_email or None,
        }

    def terraform(self, on_event: Callable[[Any], None] | None = None, **extra: Any) -> Terraform:
        """Terraform on this stack; `extra` overrides variables (teardown settings)."""
        return self._terraform(self.next_passwords(), on_event, extra)

    def _terraform(
        self,
        secrets: Mapping[str, str],
        on_event: Callable[[Any], None] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Terraform:
        state_folder.claim(self.settings.state)
        return Terraform(
            root=INFRA,
            data_dir=self._data_dir,
            environment=self.terraform_environment(),
            backend=self.terraform_backend(),
            variables={**self.variables(), **(extra or {})},
            secrets=secrets,
            on_event=on_event,
        )

    @cached_property
    def outputs(self) -> Outputs:
        """The outputs of the stack. Raises MissingError when nothing is up."""
        self.check_access()

        def ask() -> dict[str, Any]:
            terraform = self._terraform(secrets={})
            terraform.init()
            return terraform.outputs()

        values = self._known("outputs", ask)
        if not values.get("bucket"):
            raise MissingError(
                f"no stack named {self.settings.name!r} is up on target {self.name}",
                hint="invoke up",
            )
        return Outputs(**{k: v for k, v in values.items() if k in Outputs.__dataclass_fields__})

    def resources(self, terraform: Terraform) -> list[str]:
        """The addresses of everything in the state."""
        return self._known("resources", terraform.resources)

    def state_version(self) -> str | None:
        """A text that changes whenever Terraform's state is written.

        None where it takes as long to ask for it as to ask Terraform.
        """
        return None

    def _known(self, what: str, ask: Callable[[], Known]) -> Known:
        if (version := self.state_version()) is None:
            return ask()
        return known(self._data_dir / "known.json", version, what, ask)

    @property
    def _data_dir(self) -> Path:
        """Terraform's own files of this target."""
        return self.settings.state / "terraform" / self.name

    def forget(self) -> None:
        """Forget what was read of the stack and close the connections to it: it has changed."""
        for name in ("_kestra", "_storage", "_bigquery"):
            if (client := self.__dict__.pop(name, None)) is not None:
                client.close()
        self.__dict__.pop("outputs", None)

    def lasting_kestra_url(self) -> str | None:
        """Where Kestra answers after this command has ended too; None: nowhere."""
        return self.kestra_url()

    def lasting_postgres_address(self) -> dict[str, Any] | None:
        """Where PostgreSQL answers after this command has ended too; None: nowhere."""
        return self.postgres_address()

    def kestra(self) -> KestraClient:
        """A client of the running Kestra."""
        return self._kestra

    def was_stopped(self) -> bool:
        """True when Kestra was stopped on purpose and will not come back by itself."""
        return False

    def storage(self) -> StorageClient:
        """A client of the lake."""
        return self._storage

    def bigquery(self) -> BigQueryClient:
        """A client of the warehouse."""
        return self._bigquery

    @cached_property
    def _kestra(self) -> KestraClient:
        return KestraClient(self.kestra_url(), self.settings.kestra_user, self.kestra_password())

    @cached_property
    @abstractmethod
    def _storage(self) -> StorageClient: ...

    @cached_property
    @abstractmethod
    def _bigquery(self) -> BigQueryClient: ...

    def wait_for_kestra(self, seconds: float = 300, say: Say = silent) -> str:
        """Wait until Kestra's API answers and takes the password; the version that it tells.

        `say`: told what takes long. Raises FailedError after `seconds`, or as soon as another
        command has stopped the platform; Unauthorized at once: another password is no matter of
        waiting.
        """
        give_up = time.monotonic() + seconds
        while True:
            try:
                return self.kestra().ready()
            except Unauthorized:
                raise
            except FailedError as error:
                if self.was_stopped():
                    raise FailedError(
                        "the platform was stopped while this command waited for Kestra",
                        hint="invoke start",
                    ) from error
                if time.monotonic() > give_up:
                    raise FailedError(
                        f"Kestra did not answer within {seconds:.0f} s: {error}",
                        hint="invoke logs --part kestra",
                    ) from error
                time.sleep(0.5)

    def postgres(self) -> psycopg.Connection[Any]:
        """A new connection to PostgreSQL, autocommit off; the caller closes it."""
        import psycopg

        address = self.postgres_address()
        try:
            return psycopg.connect(
                **address,
                password=self.postgres_password(),
                connect_timeout=10,
                require_auth=surroundings.LOGIN,
            )
        except psycopg.OperationalError as error:
            raise MissingError(
                f"PostgreSQL at {address['host']}:{address['port']} does not answer: {error}",
                hint="invoke status",
            ) from None

    @property
    def task_types(self) -> str | None:
        """The task types that the server has; None where it has all those of Kestra's own image."""
        return None

    def monthly_cost(self) -> MonthlyCost | None:
        """What a month of the stack costs; None where nothing is billed."""
        return None

    @property
    def maximum_bytes_billed(self) -> int | None:
        """The cap of one BigQuery statement in bytes; None where nothing is billed."""
        return None
