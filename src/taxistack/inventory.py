"""What is left of a stack, asked of the services themselves and not of Terraform's state.

Everything that a stack makes carries the label `stack` = its name. What has no labels (networks,
firewalls, service accounts, …), and what the local emulators keep none of, is known by the exact
names that infra/ gives: a prefix would take in what belongs to a stack called <name>-two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from taxistack.google import Api, GoogleApis

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

# Compute Engine's collections: kind in words, path, and what makes a thing in it the stack's.
COLLECTIONS = (
    ("instance", "aggregated/instances", "labels.stack = {stack}"),
    ("disk", "aggregated/disks", "labels.stack = {stack}"),
    ("snapshot", "global/snapshots", "labels.stack = {stack}"),
    ("resource policy", "aggregated/resourcePolicies", "name = {stack}-daily"),
    ("resource policy", "aggregated/resourcePolicies", "name = {stack}-hours"),
    ("router", "aggregated/routers", "name = {stack}"),
    ("subnetwork", "aggregated/subnetworks", "name = {stack}"),
    ("firewall", "global/firewalls", "name = {stack}-iap"),
    ("network", "global/networks", "name = {stack}"),
)
LABELS = ("stack", "environment", "run")
"""What infra/locals.tf puts on everything that can have labels."""
LABELLED = "labels.stack:*"  # Compute's filter for things that have the label at all


@dataclass(frozen=True, order=True)
class Leftover:
    """One thing that still exists: its kind in plain words and its name."""

    kind: str
    name: str
    place: str = field(default="", compare=False)
    """Its path in the API that it is of; empty where the name says all."""
    labels: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    made: str = field(default="", compare=False, repr=False)
    """When it was created (RFC 3339); empty where the list does not tell."""

    def as_json(self) -> dict[str, str]:
        """What a person asks for it by."""
        return {"kind": self.kind, "name": self.name}


def bucket_names(project: str, stack: str) -> tuple[str, str]:
    """The lake and Kestra's internal storage, as infra/lake.tf names them."""
    return f"{project}-{stack}-lake", f"{project}-{stack}-kestra"


def dataset_ids(stack: str) -> tuple[str, str]:
    """The trips and the loads under way, as infra/warehouse.tf names them."""
    prefix = stack.replace("-", "_")
    return f"{prefix}_trips", f"{prefix}_staging"


def account_of(project: str, stack: str) -> str:
    """The e-mail address of the VM's account, as infra/modules/kestra/identity.tf names it."""
    return f"{stack}-kestra@{project}.iam.gserviceaccount.com"


def buckets(client: storage.Client, project: str, stack: str) -> Iterator[Leftover]:
    """The stack's buckets, by their names (`<project>-<stack>-…`)."""
    for bucket in client.list_buckets(prefix=f"{project}-{stack}-"):  # the emulator lists all
        if bucket.name in bucket_names(project, stack):
            yield Leftover("bucket", bucket.name)


def datasets(client: bigquery.Client, stack: str) -> Iterator[Leftover]:
    """The stack's datasets, by their ids (`<stack>_…`, dashes as underscores)."""
    for dataset in client.list_datasets():
        if dataset.dataset_id in dataset_ids(stack):
            yield Leftover("dataset", dataset.dataset_id)


def _pages(google: GoogleApis, api: Api, path: str, **parameters: str) -> Iterator[dict[str, Any]]:
    doing = f"inventory: listing {path.rpartition('/')[2]}"
    # An API that is off is an error too: it may have been switched off with things in it.
    yield from google.pages(api, path, doing=doing, **parameters)


def _listed(
    google: GoogleApis, project: str, kind: str, collection: str, chosen: str
) -> Iterator[Leftover]:
    """What a list of Compute Engine's holds, with the place that each thing has."""
    scope, _, plural = collection.rpartition("/")
    for page in _pages(google, Api.COMPUTE, f"projects/{project}/{collection}", filter=chosen):
        items = page.get("items", [])
        groups = items if isinstance(items, dict) else {scope: {plural: items}}
        for service, group in groups.items():
            for item in group.get(plural, []):
                yield Leftover(
                    kind,
                    item["name"],
                    f"projects/{project}/{service}/{plural}/{item['name']}",
                    item.get("labels") or {},
                    item.get("creationTimestamp", ""),
                )


def snapshots(google: GoogleApis, project: str, stack: str) -> Iterator[Leftover]:
    """The snapshots labelled with the stack, which no destroy of Terraform's reaches."""
    chosen = f"labels.stack = {stack}"
    yield from _listed(google, project, "snapshot", "global/snapshots", chosen)


def labelled_machines(google: GoogleApis, project: str) -> Iterator[Leftover]:
    """The machines, disks and snapshots of the project that carry a label `stack`, whatever one."""
    for kind, collection, chosen in COLLECTIONS:
        if chosen.startswith("labels."):
            yield from _listed(google, project, kind, collection, LABELLED)


def secrets(google: GoogleApis, project: str, stack: str = "") -> Iterator[Leftover]:
    """The secrets with the label; without `stack` all of the project's."""
    chosen = {"filter": f"labels.stack={stack}"} if stack else {}
    for page in _pages(google, Api.SECRET_MANAGER, f"projects/{project}/secrets", **chosen):
        for secret in page.get("secrets", []):
            name = secret["name"].rpartition("/")[2]
            place, labels = f"projects/{project}/secrets/{name}", secret.get("labels") or {}
            yield Leftover("secret", name, place, labels, secret.get("createTime", ""))


def alerting(google: GoogleApis, project: str, stack: str = "") -> Iterator[Leftover]:
    """Alert policies and their channels with the label; without `stack` all of the project's.

    Sources: the REST references of Cloud Monitoring v3 (`alertPolicies.list`,
    `notificationChannels.list`).
    """
    chosen = {"filter": f'user_labels.stack="{stack}"'} if stack else {}
    kinds = {"alertPolicies": "alert policy", "notificationChannels": "notification channel"}
    for plural, kind in kinds.items():
        for page in _pages(google, Api.MONITORING, f"v3/projects/{project}/{plural}", **chosen):
            for item in page.get(plural, []):
                yield Leftover(
                    kind,
                    item.get("displayName", ""),
                    f"v3/{item['name']}",
                    item.get("userLabels") or {},
                    (item.get("creationRecord") or {}).get("mutateTime", ""),
                )


def log_metrics(google: GoogleApis, project: str, stack: str) -> Iterator[Leftover]:
    """The metric that counts the heartbeats: Cloud Logging's metrics have no labels.

    Source: the REST reference of Cloud Logging v2 (`projects.metrics.list`).
    """
    for page in _pages(google, Api.LOGGING, f"projects/{project}/metrics"):
        for item in page.get("metrics", []):
            if item["name"] == f"{stack}-heartbeat":
                yield Leftover(
                    "log metric", item["name"], f"projects/{project}/metrics/{item['name']}"
                )


def google_cloud(google: GoogleApis, project: str, stack: str) -> Iterator[Leftover]:
    """The stack's virtual machines, disks, snapshots, networks, secrets, alerts and accounts.

    Sources: the REST references of Compute Engine v1 (`instances.aggregatedList` and its
    siblings), Secret Manager v1 (`secrets.list`) and IAM v1 (`serviceAccounts.list`). Raises the
    errors of `GoogleApis.call` when an API refuses to answer.
    """
    for kind, collection, ours in COLLECTIONS:
        yield from _listed(google, project, kind, collection, ours.format(stack=stack))
    yield from secrets(google, project, stack)
    yield from alerting(google, project, stack)
    yield from log_metrics(google, project, stack)
    for page in _pages(google, Api.IAM, f"projects/{project}/serviceAccounts"):
        for account in page.get("accounts", []):
            if account["email"].startswith(f"{stack}-kestra@"):
                place = f"projects/{project}/serviceAccounts/{account['email']}"
                yield Leftover("service account", account["email"], place)


def grants(google: GoogleApis, project: str, stack: str) -> Iterator[Leftover]:
    """The roles on the project that the VM's account holds, also after the account is gone.

    Source: the REST reference of Resource Manager v1 (`projects.getIamPolicy`); a deleted
    account stays in the policy as `deleted:serviceAccount:EMAIL?uid=…`. `place` is the role.
    """
    account = account_of(project, stack)
    for binding in policy_of(google, project).get("bindings", []):
        for member in binding.get("members", []):
            if _is_of(member, account):
                yield Leftover("grant", f"{binding['role']} of {member}", binding["role"])


def policy_of(google: GoogleApis, project: str) -> dict[str, Any]:
    """The project's policy, with its conditions (version 3)."""
    return google.call(
        "POST",
        Api.RESOURCE_MANAGER,
        f"projects/{project}:getIamPolicy",
        doing="inventory: reading the project's policy",
        json={"options": {"requestedPolicyVersion": 3}},
    )


def _is_of(member: str, account: str) -> bool:
    kind, _, rest = member.removeprefix("deleted:").partition(":")
    return kind == "serviceAccount" and rest.partition("?uid=")[0] == account
