"""One Google Cloud project: what is enabled, who may do what, and what exists in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud import LocalCloud
from localcloud.google.store import Store

TITLES = {
    "bigquery.googleapis.com": "BigQuery API",
    "cloudbilling.googleapis.com": "Cloud Billing API",
    "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
    "compute.googleapis.com": "Compute Engine API",
    "iam.googleapis.com": "Identity and Access Management (IAM) API",
    "iamcredentials.googleapis.com": "IAM Service Account Credentials API",
    "iap.googleapis.com": "Cloud Identity-Aware Proxy API",
    "logging.googleapis.com": "Cloud Logging API",
    "monitoring.googleapis.com": "Cloud Monitoring API",
    "oslogin.googleapis.com": "Cloud OS Login API",
    "secretmanager.googleapis.com": "Secret Manager API",
    "serviceusage.googleapis.com": "Service Usage API",
    "storage.googleapis.com": "Cloud Storage API",
    "sts.googleapis.com": "Security Token Service API",
}
# What a project has from its first day.
FROM_THE_START = ("bigquery", "serviceusage", "storage")
NEEDS_BILLING = ("compute.googleapis.com", "secretmanager.googleapis.com")


@dataclass
class Project:
    """A new project with billing. Tests change what they need."""

    id: str
    number: str = "482915730164"
    billing: bool = True
    settling: int = 0
    """So many calls of an API are refused after it was enabled."""
    denied: set[str] = field(default_factory=set)
    """Permissions that the caller lacks."""
    cloud: LocalCloud | None = None
    """Where the provider stand-in's objects, the secrets and the emulators are."""
    made: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Objects beside those of `cloud`, by the provider's type and in its form."""
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    """What the schedule made: Compute's form, `name` and `labels` at least."""
    scanned: int = 0
    """Bytes that a dry run of BigQuery's tells, whatever the statement."""
    dry_runs: list[str] = field(default_factory=list)
    """The statements of those dry runs."""
    enabled: dict[str, int] = field(default_factory=dict)
    """Enabled services, each with the number of calls that it still refuses."""

    def __post_init__(self) -> None:
        """What a project has from the start does not settle."""
        for name in FROM_THE_START:
            self.enabled.setdefault(f"{name}.googleapis.com", 0)

    def enable(self, service: str) -> None:
        """As Service Usage does: listed at once, in force a while later."""
        self.enabled.setdefault(service, self.settling)

    def enable_all(self) -> None:
        """A project in which `setup` has been run some time ago."""
        self.enabled = dict.fromkeys(TITLES, 0)

    def in_force(self, service: str) -> bool:
        """Whether a call of this API is answered now; what settles is one call nearer."""
        self._enabled_by_terraform()
        left = self.enabled.get(service)
        if left is None or left > 0:
            if left:
                self.enabled[service] = left - 1
            return False
        return True

    def _enabled_by_terraform(self) -> None:
        for one in self.objects("google_project_service"):
            self.enable(one["service"])

    # --- what exists --------------------------------------------------------------------------

    def objects(self, kind: str) -> Iterator[dict[str, Any]]:
        """What Terraform made of a type, as the provider stand-in has recorded it."""
        yield from self.made.get(kind, [])
        path = self._records()
        if path is not None and path.exists():
            store = Store(path)
            yield from (found for id_ in store.ids(kind) if (found := store.get(kind, id_)))

    def remove(self, kind: str, gone: dict[str, Any]) -> None:
        """Forget an object, wherever it is kept; a VM's Kestra stops and a secret's value goes."""
        self.made[kind] = [one for one in self.made.get(kind, []) if one != gone]
        path = self._records()
        if self.cloud is None or path is None or not path.exists():
            return
        store = Store(path)
        for id_ in store.ids(kind):
            if store.get(kind, id_) == gone:
                if kind == "google_compute_instance":
                    # First: it waits for a machine that is still being made, as Google does. Who
                    # makes it writes the record once more then.
                    self.cloud.delete_instance()
                store.remove(kind, id_)
                if kind == "google_secret_manager_secret":
                    self.cloud.secrets.delete(gone["secret_id"])

    def _records(self) -> Path | None:
        return self.cloud.layout.data("google") / "objects.db" if self.cloud else None

    def secret(self, secret_id: str) -> str | None:
        """The latest value of a secret."""
        if self.cloud is None or not self.cloud.secrets.versions(secret_id):
            return None
        return self.cloud.secrets.get(secret_id)
