"""Removes, one by one and by its exact name, what a stack has left and no Terraform state knows.

Nothing is removed for its name alone: right before, each thing is looked at again, and must bear
what infra/ puts on it: its three labels where the kind has labels, else a fact that
only our configuration makes (a firewall's account, an account's display name, …). Whatever does
not bear it is somebody else's, however it is called, and stays.

Sources: the REST references of Compute Engine v1, Secret Manager v1, Cloud Monitoring v3, Cloud
Logging v2, IAM v1 and Resource Manager v1. A call of Compute Engine's only begins its work:
`zoneOperations.wait` and its siblings end it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxistack import inventory
from taxistack.errors import FailedError, TaxistackError
from taxistack.google import Api, ApiError, GoogleApis, NotFoundError
from taxistack.inventory import Leftover

if TYPE_CHECKING:
    from google.cloud import bigquery, storage

Say = Callable[[str], None]
# What is used goes after what uses it.
ORDER = (
    "alert policy",
    "notification channel",
    "log metric",
    "instance",
    "snapshot",
    "disk",
    "resource policy",
    "firewall",
    "router",
    "subnetwork",
    "network",
    "secret",
    "bucket",
    "dataset",
    "grant",
    "service account",
)
SECONDS = 600.0  # until an operation of Compute Engine's counts as one that will not end
_TRIES = 4  # a conflict: somebody else has changed the project's policy meanwhile


@dataclass(frozen=True)
class Clients:
    """What the things are asked of."""

    google: GoogleApis
    storage: storage.Client
    bigquery: bigquery.Client


@dataclass(frozen=True)
class Kept:
    """A thing that was not removed, and why."""

    thing: Leftover
    why: str


def remove(
    clients: Clients, project: str, stack: str, things: Iterable[Leftover], say: Say
) -> list[Kept]:
    """Remove the things of the stack; returns those that stay, each with its reason.

    What can't be removed does not keep the others from going.
    """
    kept = []
    for thing in sorted(things, key=lambda item: (ORDER.index(item.kind), item)):
        try:
            if why := _Removal(clients, project, stack).remove(thing):
                kept.append(Kept(thing, why))
                continue
        except NotFoundError:  # gone with another, as a boot disk goes with its machine
            continue
        except TaxistackError as error:
            kept.append(Kept(thing, error.message))
            continue
        say(f"  removed {thing.kind} {thing.name}")
    return kept


def bears_labels(kind: str, name: str, labels: Mapping[str, str], project: str) -> str | None:
    """The stack whose labels a thing bears under a name that infra/ gives it; None: nobody's.

    All of them count: `stack` and `run` are words that others label their things with too.
    """
    stack = labels.get("stack", "")
    if not all(labels.get(label) for label in inventory.LABELS):
        return None
    names = {
        "instance": (f"{stack}-kestra",),
        "disk": (f"{stack}-data", f"{stack}-kestra"),  # a boot disk is called as its machine
        "secret": (
            f"{stack}-alarm-webhook",
            f"{stack}-kestra-password",
            f"{stack}-postgres-password",
        ),
        "alert policy": (f"{stack}-heartbeat",),
        "notification channel": (f"{stack}-alarms",),
        "bucket": inventory.bucket_names(project, stack),
        "dataset": inventory.dataset_ids(stack),
    }
    if kind == "snapshot":  # a schedule and a backup name them after the disk
        return stack if name.startswith(f"{stack}-data-") else None
    return stack if name in names[kind] else None


class _Removal:
    """How a thing of each kind is looked at and removed."""

    def __init__(self, clients: Clients, project: str, stack: str) -> None:
        self._clients, self._google = clients, clients.google
        self._project, self._stack = project, stack

    def remove(self, thing: Leftover) -> str:
        """Remove it; a text: why it was let be."""
        handlers: dict[str, Callable[[Leftover], bool]] = {
            "alert policy": self._alerting,
            "notification channel": self._alerting,
            "log metric": self._log_metric,
            "secret": self._secret,
            "bucket": self._bucket,
            "dataset": self._dataset,
            "grant": self._grant,
            "service account": self._account,
        }
        removed = handlers.get(thing.kind, self._compute)(thing)
        if removed:
            return ""
        return f"it bears no mark of stack {self._stack}: somebody else has made it"

    def _call(self, method: str, api: Api, path: str, thing: Leftover, **more: Any) -> Any:
        word = "looking at" if method == "GET" else "removing"
        return self._google.call(
            method, api, path, doing=f"{word} {thing.kind} {thing.name}", **more
        )

    def _ours(self, thing: Leftover, labels: Mapping[str, str]) -> bool:
        return bears_labels(thing.kind, thing.name, labels, self._project) == self._stack

    # --- Compute Engine -----------------------------------------------------------------------

    def _compute(self, thing: Leftover) -> bool:
        item = self._call("GET", Api.COMPUTE, thing.place, thing)
        if not self._made_by_us(thing, item):
            return False
        if item.get("deletionProtection"):
            path = f"{thing.place}/setDeletionProtection"
            off = {"deletionProtection": "false"}
            self._end(thing, self._call("POST", Api.COMPUTE, path, thing, params=off))
        if thing.kind == "resource policy":
            self._detach(thing)
        self._end(thing, self._call("DELETE", Api.COMPUTE, thing.place, thing))
        return True

    def _made_by_us(self, thing: Leftover, item: Mapping[str, Any]) -> bool:
        stack, kind = self._stack, thing.kind
        own_network = str(item.get("network", "")).endswith(f"/networks/{stack}")
        if kind in ("instance", "disk", "snapshot"):
            return self._ours(thing, item.get("labels") or {})
        if kind == "resource policy":
            schedule = item.get("snapshotSchedulePolicy") or {}
            labels = (schedule.get("snapshotProperties") or {}).get("labels") or {}
            hours = f"Stack {stack}: " in item.get("description", "")
            return labels.get("stack") == stack or (hours and "instanceSchedulePolicy" in item)
        if kind == "firewall":
            account = inventory.account_of(self._project, stack)
            return own_network and item.get("targetServiceAccounts") == [account]
        if kind == "network":
            names = [str(address).rpartition("/")[2] for address in item.get("subnetworks") or []]
            return item.get("autoCreateSubnetworks") is False and set(names) <= {stack}
        return own_network  # routers and subnetworks

    def _detach(self, policy: Leftover) -> None:
        """A policy that a disk still uses can't go: our data disk lets it go first."""
        for disk in inventory.labelled_machines(self._google, self._project):
            if disk.kind != "disk" or not self._ours(disk, disk.labels):
                continue
            used = self._call("GET", Api.COMPUTE, disk.place, disk).get("resourcePolicies") or []
            names = [name for name in used if name.rpartition("/")[2] == policy.name]
            if names:
                path = f"{disk.place}/removeResourcePolicies"
                body = {"resourcePolicies": names}
                self._end(disk, self._call("POST", Api.COMPUTE, path, policy, json=body))

    def _end(self, thing: Leftover, operation: Mapping[str, Any]) -> None:
        """Wait for the operation. Raises FailedError with Google's reason."""
        scope = thing.place.rpartition("/")[0].rpartition("/")[0]  # projects/p/zones/z
        give_up = time.monotonic() + SECONDS
        path = f"{scope}/operations/{operation['name']}/wait"
        while operation.get("status") != "DONE":
            if time.monotonic() > give_up:
                raise FailedError(f"removing {thing.kind} {thing.name} does not end")
            operation = self._call("POST", Api.COMPUTE, path, thing)
        if errors := (operation.get("error") or {}).get("errors"):
            said = "; ".join(str(error.get("message", error.get("code"))) for error in errors)
            raise FailedError(f"removing {thing.kind} {thing.name}: {said}")

    # --- the others ---------------------------------------------------------------------------

    def _secret(self, thing: Leftover) -> bool:
        item = self._call("GET", Api.SECRET_MANAGER, thing.place, thing)
        if not self._ours(thing, item.get("labels") or {}):
            return False
        self._call("DELETE", Api.SECRET_MANAGER, thing.place, thing)
        return True

    def _alerting(self, thing: Leftover) -> bool:
        item = self._call("GET", Api.MONITORING, thing.place, thing)
        if not self._ours(thing, item.get("userLabels") or {}):
            return False
        self._call("DELETE", Api.MONITORING, thing.place, thing)
        return True

    def _log_metric(self, thing: Leftover) -> bool:
        item = self._call("GET", Api.LOGGING, thing.place, thing)
        # It has no labels; nobody else counts the lines of this machine's Kestra under this name.
        if f'jsonPayload.instance.name="{self._stack}-kestra"' not in item.get("filter", ""):
            return False
        self._call("DELETE", Api.LOGGING, thing.place, thing)
        return True

    def _bucket(self, thing: Leftover) -> bool:
        bucket = self._clients.storage.lookup_bucket(thing.name)
        if bucket is None or not self._ours(thing, bucket.labels):
            return bucket is None
        # Every generation: a versioned bucket with none but old ones is not empty.
        for blob in self._clients.storage.list_blobs(bucket, versions=True):
            bucket.delete_blob(blob.name, generation=blob.generation)
        bucket.delete()
        return True

    def _dataset(self, thing: Leftover) -> bool:
        from google.api_core.exceptions import NotFound

        client, id_ = self._clients.bigquery, f"{self._project}.{thing.name}"
        try:
            dataset = client.get_dataset(id_)
        except NotFound:
            return True
        if not self._ours(thing, dataset.labels):
            return False
        client.delete_dataset(id_, delete_contents=True, not_found_ok=True)
        return True

    def _account(self, thing: Leftover) -> bool:
        item = self._call("GET", Api.IAM, thing.place, thing)
        # It has no labels; nobody but infra/ writes this, and no role of ours may change it.
        if item.get("displayName") != f"Kestra server of {self._stack}":
            return False
        self._call("DELETE", Api.IAM, thing.place, thing)
        return True

    def _grant(self, thing: Leftover) -> bool:
        """Take the account out of the policy; again when somebody else has written it meanwhile."""
        member = thing.name.partition(" of ")[2]
        path = f"projects/{self._project}:setIamPolicy"
        for attempt in range(1, _TRIES + 1):
            policy = inventory.policy_of(self._google, self._project)
            for binding in policy.get("bindings", []):
                if binding["role"] == thing.place and "condition" not in binding:
                    binding["members"] = [
                        account for account in binding["members"] if account != member
                    ]
            policy["bindings"] = [
                binding for binding in policy.get("bindings", []) if binding["members"]
            ]
            try:
                self._call(
                    "POST", Api.RESOURCE_MANAGER, path, thing, json={"policy": policy}
                )  # its etag makes it refuse a policy that is not the one read
            except ApiError as error:
                if error.status != 409 or attempt == _TRIES:
                    raise
                continue
            return True
        return False
