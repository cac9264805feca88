"""What is left of a stack, asked of the services themselves and not of Terraform's state.

Everything that a stack makes carries the label `stack` = its name. What has no labels (networks,
firewalls, service accounts, …), and what the local emulators keep none of, is known by the exact
names that infra/ gives: a prefix would take in what belongs to a stack called <name>-two.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxistack.google import Api, GoogleApis, NotFoundError

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

# Compute Engine's collections: path, and what makes a thing in it the stack's.
COLLECTIONS = (
    ("aggregated/instances", "labels.stack = {stack}"),
    ("aggregated/disks", "labels.stack = {stack}"),
    ("global/snapshots", "labels.stack = {stack}"),
    ("aggregated/resourcePolicies", "name = {stack}-daily"),
    ("aggregated/routers", "name = {stack}"),
    ("aggregated/subnetworks", "name = {stack}"),
    ("global/firewalls", "name = {stack}-iap"),
    ("global/networks", "name = {stack}"),
)


@dataclass(frozen=True, order=True)
class Leftover:
    """One thing that still exists: its kind in plain words and its name."""

    kind: str
    name: str


def buckets(client: storage.Client, project: str, stack: str) -> Iterator[Leftover]:
    """The stack's buckets, by their names (`<project>-<stack>-…`)."""
    prefix = f"{project}-{stack}-"
    for bucket in client.list_buckets(prefix=prefix):  # the storage emulator lists all
        if bucket.name in (f"{prefix}lake", f"{prefix}kestra"):
            yield Leftover("bucket", bucket.name)


def datasets(client: bigquery.Client, stack: str) -> Iterator[Leftover]:
    """The stack's datasets, by their ids (`<stack>_…`, dashes as underscores)."""
    prefix = stack.replace("-", "_")
    for dataset in client.list_datasets():
        if dataset.dataset_id in (f"{prefix}_trips", f"{prefix}_staging"):
            yield Leftover("dataset", dataset.dataset_id)


def _pages(google: GoogleApis, api: Api, path: str, **parameters: str) -> Iterator[dict[str, Any]]:
    doing = f"inventory: listing {path.rpartition('/')[2]}"
    # An API that is off is an error too: it may have been switched off with things in it.
    yield from google.pages(api, path, doing=doing, **parameters)


def _compute(google: GoogleApis, project: str, stack: str) -> Iterator[Leftover]:
    for collection, ours in COLLECTIONS:
        kind = collection.rpartition("/")[2]
        path, chosen = f"projects/{project}/{collection}", ours.format(stack=stack)
        for page in _pages(google, Api.COMPUTE, path, filter=chosen):
            items = page.get("items", [])
            groups = items.values() if isinstance(items, dict) else [{kind: items}]
            for group in groups:
                for item in group.get(kind, []):
                    yield Leftover(kind.rstrip("s"), item["name"])


def google_cloud(google: GoogleApis, project: str, stack: str) -> Iterator[Leftover]:
    """The stack's virtual machines, disks, snapshots, networks, secrets and accounts.

    Sources: the REST references of Compute Engine v1 (`instances.aggregatedList` and its
    siblings), Secret Manager v1 (`secrets.list`) and IAM v1 (`serviceAccounts.list`). Raises the
    errors of `GoogleApis.call` when an API refuses to answer.
    """
    yield from _compute(google, project, stack)
    path = f"projects/{project}/secrets"
    for page in _pages(google, Api.SECRET_MANAGER, path, filter=f"labels.stack={stack}"):
        for secret in page.get("secrets", []):
            yield Leftover("secret", secret["name"].rpartition("/")[2])
    for page in _pages(google, Api.IAM, f"projects/{project}/serviceAccounts"):
        for account in page.get("accounts", []):
            if account["email"].startswith(f"{stack}-kestra@"):
                yield Leftover("service account", account["email"])


def delete_snapshots(google: GoogleApis, project: str, stack: str) -> Iterator[str]:
    """Delete the snapshots labelled with the stack; their names as they go.

    A snapshot schedule makes them on its own, so no destroy of Terraform's reaches them. Raises
    the errors of `GoogleApis.call` when Compute Engine refuses.
    """
    path = f"projects/{project}/global/snapshots"
    for page in _pages(google, Api.COMPUTE, path, filter=f"labels.stack={stack}"):
        for snapshot in page.get("items", []):
            name = snapshot["name"]
            with contextlib.suppress(NotFoundError):
                google.call("DELETE", Api.COMPUTE, f"{path}/{name}", doing=f"deleting {name}")
            yield name
