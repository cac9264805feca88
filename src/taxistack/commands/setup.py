"""`setup`: once a project, what every stack in it stands on. `down` never touches it.

The APIs, then the bucket of Terraform's states, then (where a repository is named) the identity
that CI deploys with. The bucket holds the state of the root that describes it, so it is made first,
empty, and imported: a bucket that was there before is taken in by the same steps, and a `setup`
that was killed anywhere goes on where it was.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taxistack import state_folder
from taxistack.commands.applying import Apply, prove_empty
from taxistack.commands.resources import DONE, Progress, changes_table
from taxistack.console import Console, counted, table
from taxistack.errors import FailedError, LockedError, MissingError, UsageError
from taxistack.google import Api, ApiError, GoogleApis, services
from taxistack.scratch import scratch
from taxistack.targets import Target
from taxistack.targets.base import INFRA
from taxistack.terraform import Plan, Terraform, TerraformError

PREFIX = "_setup"  # of its state: no stack's name begins so
BUCKET = "google_storage_bucket.state"
NOBODY = "none"

# What a killed run may have made without its state knowing: address -> id for an import. Names
# that are the kit's own; the other resources are taken in by creating them again.
_CI_IDS = {
    'google_iam_workload_identity_pool.ci["github"]': (
        "projects/{project}/locations/global/workloadIdentityPools/{pool}"
    ),
    'google_iam_workload_identity_pool_provider.ci["github"]': (
        "projects/{project}/locations/global/workloadIdentityPools/{pool}/providers/github"
    ),
    'google_service_account.deployer["github"]': (
        "projects/{project}/serviceAccounts/taxistack-deployer@{project}.iam.gserviceaccount.com"
    ),
}


@dataclass(frozen=True)
class Identity:
    """Whom CI's identity is for; empty texts: as it was, or as the root's defaults say."""

    github: str = ""
    ref: str = ""
    pool: str = ""

    def __post_init__(self) -> None:
        """Refuse what can't be read. Raises UsageError."""
        if self.github not in ("", NOBODY) and not re.fullmatch(r"\d+/\d+", self.github):
            raise UsageError(
                f"--github {self.github}: must be OWNER_ID/REPOSITORY_ID, GitHub's numbers of "
                f"both, or `{NOBODY}` to take the CI identity away",
                hint="gh api repos/OWNER/NAME --jq '\"\\(.owner.id)/\\(.id)\"'",
            )

    def variables(self, before: dict[str, Any]) -> dict[str, Any]:
        """The root's variables; `before`: its outputs, so that a flag left out changes nothing."""
        known: dict[str, Any] = before.get("github") or {}
        pool = self.pool or before.get("pool")
        if self.github == NOBODY or not (self.github or known):
            if self.ref or self.pool:
                raise UsageError("--ref and --pool are of the CI identity: --github names whose")
            return {"pool": pool}
        owner, _, repository = self.github.partition("/")
        github = {"owner_id": owner, "repository_id": repository} if owner else dict(known)
        if self.ref:
            github["ref"] = self.ref
        return {"github": github, "pool": pool}


@dataclass
class Report:
    """What was done, and what was there; a row each."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, kind: str, name: str, done: str) -> None:
        """One thing."""
        self.rows.append((kind, name, done))

    @property
    def changed(self) -> int:
        """How many things were not as they are now."""
        return sum(done != THERE for _, _, done in self.rows)


THERE = "was there"


def setup(
    target: Target,
    console: Console,
    identity: Identity,
    force_unlock: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Bring a project to where `up` works, and prove by a plan that nothing is left to do."""
    google = target.google
    if google is None:
        console.result(None, [])
        console.summary(f"setup: the {target.name} target needs none; invoke up starts everything")
        return
    Setup(target, google, console, identity, sleep).run(force_unlock)


class _Apply(Apply):
    """Applies as `up` does; what a killed run made of CI's identity is adopted."""

    def __init__(
        self, target: Target, console: Console, terraform: Terraform, path: Path, pool: str
    ) -> None:
        """`pool`: the identity pool that was asked for; empty: the one before, or the default."""
        super().__init__(target, console, terraform, path)
        self._project, self._pool = target.settings.project, pool

    def _adopt(self, planned: Plan, error: TerraformError) -> bool:
        new = [name for name in error.existing if name in _CI_IDS and name not in self._adopted]
        pool = self._pool or self._terraform.outputs().get("pool") or "taxistack-github"
        for address in new:
            self._import(address, pool)
        self._adopted |= set(new)
        return bool(new)

    def _import(self, address: str, pool: str) -> None:
        id_ = _CI_IDS[address].format(project=self._project, pool=pool)
        try:
            self._terraform.import_(address, id_)
        except TerraformError as error:
            raise FailedError(
                f"{address} exists and can't be taken in: {error.message}",
                hint=f"a pool that was deleted keeps its name for 30 days: --pool {pool}-2",
            ) from error
        self._console.say(f"  adopted {address}: a run that was killed had made it")


class Setup:
    """One run of `setup`."""

    def __init__(
        self,
        target: Target,
        google: GoogleApis,
        console: Console,
        identity: Identity,
        sleep: Callable[[float], None],
    ) -> None:
        """`google`: the target's. `sleep`: how a pause between two looks is made."""
        self.target, self.console, self.identity = target, console, identity
        self.settings, self.google = target.settings, google
        self.project, self.bucket = target.settings.project, target.settings.tfstate_bucket
        self.report, self._sleep = Report(), sleep
        self._new_bucket = False

    def run(self, force_unlock: str) -> None:
        """The steps, each of which finds out for itself what is there."""
        began = time.monotonic()
        self.target.check()
        wanted = services.needed(ci=self.identity.github not in ("", NOBODY))
        on = services.enabled(self.google, self.project)
        off = [name for name in wanted if name not in on]
        place = self._place_of_bucket() if Api.STORAGE.service in on else None
        self._ask(off, place)
        self._enable(off, wanted)
        place = place or self._make_bucket()
        self._apply(place, force_unlock)
        self._close(began)

    def _ask(self, off: list[str], place: str | None) -> None:
        todo = [f"enable {counted(len(off), 'API')} ({', '.join(off)})"] if off else []
        todo += [] if place else [f"make the bucket gs://{self.bucket}"]
        if todo and not self.console.confirm(f"Project {self.project}: {' and '.join(todo)}?"):
            raise FailedError("nothing was changed: not confirmed")

    # --- APIs -------------------------------------------------------------------------------

    def _enable(self, off: list[str], wanted: list[str]) -> None:
        if off:
            self.console.say(f"enabling {counted(len(off), 'API')}")
            services.enable(self.google, self.project, off, self._sleep)
        # All of them: a run that was killed may have enabled those that do not answer yet.
        services.wait_until_they_answer(
            self.google, self.project, wanted, self.console.say, self._sleep
        )
        for name in wanted:
            self.report.add("API", name, "enabled" if name in off else THERE)

    # --- the bucket -------------------------------------------------------------------------

    def _place_of_bucket(self) -> str | None:
        """Where the state bucket is; None when the project has none of that name."""
        pages = self.google.pages(
            Api.STORAGE,
            "b",
            doing=f"the buckets of project {self.project}",
            project=self.project,
            prefix=self.bucket,
        )
        buckets = [bucket for page in pages for bucket in page.get("items", [])]
        return next(
            (str(bucket["location"]) for bucket in buckets if bucket["name"] == self.bucket), None
        )

    def _make_bucket(self) -> str:
        """Make it, private and where the VM is; versions and the rest are Terraform's to set."""
        if (place := self._place_of_bucket()) is not None:
            return place
        private = {"uniformBucketLevelAccess": {"enabled": True}}
        try:
            made = self.google.call(
                "POST",
                Api.STORAGE,
                "b",
                doing=f"making the state bucket gs://{self.bucket}",
                params={"project": self.project},
                json={
                    "name": self.bucket,
                    "location": self.settings.region.upper(),
                    "iamConfiguration": {**private, "publicAccessPrevention": "enforced"},
                },
            )
        except ApiError as error:
            # A broken connection is tried again: then it is ours, and listed.
            if error.status == 409 and (place := self._place_of_bucket()) is not None:
                return place
            if error.status == 409:
                raise MissingError(
                    f"gs://{self.bucket} is another project's: names of buckets are the world's",
                    hint="name another with the setting state_bucket",
                ) from error
            raise
        self.console.say(f"  created gs://{self.bucket}")
        self._new_bucket = True
        return str(made["location"])

    # --- Terraform --------------------------------------------------------------------------

    def _terraform(self, place: str, **identity: Any) -> Terraform:
        variables = {
            "project": self.project,
            "region": self.settings.region,
            "state_bucket": self.bucket,
            "state_location": place,
            **identity,
        }
        state_folder.claim(self.settings.state)
        return Terraform(
            root=INFRA / "bootstrap",
            data_dir=self.settings.state / "terraform" / f"{self.target.name}-setup",
            environment=self.target.terraform_environment(),
            backend={**self.target.terraform_backend(), "prefix": PREFIX},
            variables=variables,
            on_event=Progress(self.console),
        )

    def _apply(self, place: str, force_unlock: str) -> None:
        terraform = self._terraform(place)
        try:
            terraform.init()
            if force_unlock:
                terraform.force_unlock(force_unlock)
            terraform = self._terraform(place, **self.identity.variables(terraform.outputs()))
            known = terraform.resources()
            if BUCKET not in known:
                terraform.import_(BUCKET, self.bucket)
            with scratch(terraform.data_dir) as folder:
                planned = self._do(terraform, folder / "setup.tfplan", known)
        except LockedError as error:
            # Terraform's lock says how `up` releases it; this is another state.
            error.hint = (error.hint or "").replace("invoke up", "invoke setup")
            raise
        self._tell(terraform, planned, known)

    def _do(self, terraform: Terraform, path: Path, known: list[str]) -> Plan:
        """Plan, ask, apply; what a killed run has made is imported and planned again."""
        work = _Apply(self.target, self.console, terraform, path, self.identity.pool)
        planned = work.plan()
        self._approve(planned, known)
        if planned.any:
            work.apply(planned)
            prove_empty(terraform)
        return planned

    def _approve(self, planned: Plan, known: list[str]) -> None:
        """A bucket made a moment ago was agreed to; whatever else changes is shown and asked."""
        new = {BUCKET} - set(known)
        if not [change for change in planned.changes if change.address not in new]:
            return
        self.console.sketch(changes_table("Terraform will", planned))
        changes = counted(len(planned.changes), "change")
        if not self.console.confirm(f"Apply {changes} to project {self.project}?"):
            raise FailedError("the plan was not approved; the APIs and the bucket stay")

    # --- what it did ------------------------------------------------------------------------

    def _tell(self, terraform: Terraform, planned: Plan, known: list[str]) -> None:
        done = {
            change.address: DONE.get(change.action, change.action) for change in planned.changes
        }
        for address in sorted({*terraform.resources(), *done}):
            what = done.get(address, THERE)
            if address != BUCKET:
                self.report.add("CI identity", address, what)
                continue
            if BUCKET not in known:
                what = "created" if self._new_bucket else "adopted"
            self.report.add("state bucket", f"gs://{self.bucket}", what)
        self.outputs = terraform.outputs()

    def _close(self, began: float) -> None:
        rows = self.report.rows
        shown = table(f"Project {self.project}", ["what", "name", "state"], rows)
        made = {key: self.outputs.get(key) for key in ("deployer", "workload_identity_provider")}
        self.console.result(
            shown,
            {
                "project": self.project,
                "state_bucket": self.bucket,
                **made,
                "things": [dict(zip(("what", "name", "state"), r, strict=True)) for r in rows],
            },
        )
        for name, value in made.items():
            if value:
                self.console.say(f"{name}: {value}")
        changed = counted(self.report.changed, "change") if self.report.changed else "all was there"
        took = time.monotonic() - began
        self.console.summary(f"setup: project {self.project} is ready; {changed} ({took:.1f} s)")
