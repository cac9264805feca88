"""The provider stand-in as it meets a young project: refused where Google would refuse.

The stand-in of the local cloud keeps records and knows no project; what Google says to the real
provider while an API or an account is new is put in front of it here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.gcp.cloud.answers import disabled
from tests.gcp.cloud.project import TITLES, Project

from localcloud import LocalCloud, sockets
from localcloud.google import reattach, server
from localcloud.google.errors import ApiError
from localcloud.layout import Layout

# Beginning of a type -> the API that the real provider asks for it.
_APIS = {
    "google_bigquery_": "bigquery",
    "google_compute_": "compute",
    "google_logging_": "logging",
    "google_monitoring_": "monitoring",
    "google_project_iam_": "cloudresourcemanager",
    "google_secret_manager_": "secretmanager",
    "google_service_account": "iam",
    "google_storage_": "storage",
}
_POLICIES = ("google_bigquery_dataset_iam_member", "google_project_iam_member")


class YoungProject:
    """A hook of the provider's: raises what Google answers to the real one."""

    def __init__(self, project: Project, unknown_accounts: int = 0) -> None:
        """`unknown_accounts`: so many grants are refused because the account is new."""
        self.project = project
        self.unknown_accounts = unknown_accounts
        self.refused: list[str] = []
        self.also: Callable[[str, str], None] | None = None
        """Called too: a test's own fault."""

    def __call__(self, kind: str, action: str) -> None:
        """Before an object is created, updated or deleted."""
        if self.also is not None:
            self.also(kind, action)
        for beginning, name in _APIS.items():
            service = f"{name}.googleapis.com"
            if kind.startswith(beginning) and not self.project.in_force(service):
                said = disabled(service, self.project.number, TITLES[service]).message
                self._refuse(f"Error 403: {said}, accessNotConfigured", kind)
        if kind in _POLICIES and action == "create" and self.unknown_accounts > 0:
            self.unknown_accounts -= 1
            account = f"taxistack-kestra@{self.project.id}.iam.gserviceaccount.com"
            self._refuse(f"Error 400: Service account {account} does not exist., badRequest", kind)

    def _refuse(self, text: str, kind: str) -> None:
        self.refused.append(kind)
        raise ApiError(f"googleapi: {text}")


def serve(cloud: LocalCloud, hook: YoungProject) -> tuple[Any, str]:
    """The running provider, and the value of TF_REATTACH_PROVIDERS that brings Terraform to it.

    It listens beside the local cloud's own one and writes into the same records.
    """
    folder = cloud.layout.folder.with_name("young-provider")
    private, records = Layout(folder).private, Layout(folder).data("google")
    if not folder.exists():
        private.mkdir(mode=0o700, parents=True)
        records.parent.mkdir(parents=True, exist_ok=True)
        cloud.layout.data("google").mkdir(parents=True, exist_ok=True)
        records.symlink_to(cloud.layout.data("google"))
    running = server.start(folder, cloud, before=hook)
    address = sockets.reachable(private, sockets.GOOGLE, os.getpid())
    google = SimpleNamespace(address=address, pid=os.getpid())
    return running, reattach(SimpleNamespace(google=google))
