"""Deleting by the REST APIs, refused where Google refuses: what is used, what is protected."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.gcp.cloud.answers import Refused, Request, not_found
from tests.gcp.cloud.compute import AGGREGATED, GLOBAL, need, operation
from tests.gcp.cloud.platform import need as need_of
from tests.gcp.cloud.things import as_rest

if TYPE_CHECKING:
    from tests.gcp.cloud.server import Google

Parts = dict[str, str]
Handle = Callable[["Google", Request, Parts], dict[str, Any]]
ROUTES: list[tuple[str, re.Pattern[str], Handle]] = []
_PROJECT = r"projects/(?P<project>[^/:]+)"
_WHERE = r"(zones/(?P<zone>[^/]+)|regions/(?P<region>[^/]+)|global)"
_THING = rf"/compute/v1/{_PROJECT}/{_WHERE}/(?P<collection>\w+)/(?P<name>[^/]+)"
_KINDS = {**AGGREGATED, **GLOBAL}
# Type -> those that keep it from going while they name it, and the attribute in which they do.
_USERS = {
    "google_compute_disk": (("google_compute_instance", "attached_disk"),),
    "google_compute_network": (
        ("google_compute_subnetwork", "network"),
        ("google_compute_firewall", "network"),
        ("google_compute_router", "network"),
    ),
    "google_compute_subnetwork": (("google_compute_instance", "network_interface"),),
    "google_compute_resource_policy": (("google_compute_disk_resource_policy_attachment", "name"),),
}
# What goes with a thing: Terraform has it as one of its own.
_PARTS = {
    "google_compute_router": ("google_compute_router_nat", "router"),
    "google_compute_disk": ("google_compute_disk_resource_policy_attachment", "disk"),
}


def route(method: str, pattern: str) -> Callable[[Handle], Handle]:
    """Answer calls of this form."""

    def add(handle: Handle) -> Handle:
        ROUTES.append((method, re.compile(pattern), handle))
        return handle

    return add


def _names(value: Any, name: str) -> bool:
    """Whether a value, or one in it, is this name or a path that ends with it."""
    if isinstance(value, dict):
        return any(_names(one, name) for one in value.values())
    if isinstance(value, list):
        return any(_names(one, name) for one in value)
    return str(value).rpartition("/")[2] == name


def _find(google: Google, parts: Parts) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Its type, as it is recorded, and as Google shows it."""
    kind = _KINDS.get(parts["collection"])
    for one in google.project.objects(kind) if kind else ():
        shown = as_rest(google, kind, one)
        place = parts.get("zone") or parts.get("region")
        if one["name"] == parts["name"] and (shown.get("zone") or shown.get("region")) == place:
            return kind, one, shown
    raise not_found(f"The resource '{parts['collection']}/{parts['name']}' was not found")


@route("GET", _THING)
def get_thing(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """One disk, network, …"""
    need(google, f"compute.{parts['collection']}.get")
    if parts["collection"] == "snapshots":
        for one in google.project.snapshots:
            if one["name"] == parts["name"]:
                seen = dict(one)
                one["status"] = "READY"  # one that was just begun is seen once
                return seen
    return _find(google, parts)[2]


@route("DELETE", _THING)
def delete_thing(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Refused while something uses it."""
    need(google, f"compute.{parts['collection']}.delete")
    kind, one, _ = _find(google, parts)
    if one.get("deletion_protection"):
        said = (
            f"Invalid resource usage: 'Resource cannot be deleted if it's protected: {one['name']}'"
        )
        raise Refused(412, "", said, "conditionNotMet")
    for user, key in _USERS.get(kind, ()):
        for other in google.project.objects(user):
            if _names(other.get(key), one["name"]):
                said = f"The resource '{one['name']}' is already being used by '{other['name']}'"
                raise Refused(400, "", said, "resourceInUseByAnotherResource")
    part, key = _PARTS.get(kind, ("", ""))
    for other in list(google.project.objects(part)) if part else ():
        if _names(other[key], one["name"]):
            google.project.remove(part, other)
    google.project.remove(kind, one)
    return operation("delete", parts)


@route("POST", rf"{_THING}/setDeletionProtection")
def protect(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Lift it."""
    need(google, "compute.instances.setDeletionProtection")
    kind, one, _ = _find(google, parts)
    if request.query.get("deletionProtection") != "false":
        raise Refused(400, "", "only lifted here", "invalid")
    google.project.remove(kind, one)
    google.project.made.setdefault(kind, []).append({**one, "deletion_protection": False})
    return operation("setDeletionProtection", parts)


@route("POST", rf"{_THING}/removeResourcePolicies")
def detach(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Take a schedule from a disk."""
    need(google, "compute.disks.removeResourcePolicies")
    _, disk, _ = _find(google, parts)
    names = {one.rpartition("/")[2] for one in request.json["resourcePolicies"]}
    kind = "google_compute_disk_resource_policy_attachment"
    for one in list(google.project.objects(kind)):
        if _names(one["disk"], disk["name"]) and one["name"] in names:
            google.project.remove(kind, one)
    return operation("removeResourcePolicies", parts)


# --- Secret Manager, IAM, the project's policy -------------------------------------------------


def _secret(google: Google, name: str) -> dict[str, Any]:
    for one in google.project.objects("google_secret_manager_secret"):
        if one["secret_id"] == name:
            return one
    raise not_found(f"Secret [{name}] not found.")


@route("GET", rf"/secretmanager/v1/{_PROJECT}/secrets/(?P<secret>[^/:]+)")
def get_secret(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """What it is called and labelled."""
    need_of(google.project, "secretmanager.secrets.get")
    one = _secret(google, parts["secret"])
    return {"name": f"projects/{google.project.number}/secrets/{parts['secret']}",
            "labels": one.get("effective_labels") or {}}  # fmt: skip


@route("DELETE", rf"/secretmanager/v1/{_PROJECT}/secrets/(?P<secret>[^/:]+)")
def delete_secret(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """With all of its versions."""
    need_of(google.project, "secretmanager.secrets.delete")
    google.project.remove("google_secret_manager_secret", _secret(google, parts["secret"]))
    return {}


@route("DELETE", rf"/iam/v1/{_PROJECT}/serviceAccounts/(?P<email>[^/:]+)")
def delete_account(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Its grants stay, as those of a deleted account."""
    need_of(google.project, "iam.serviceAccounts.delete")
    for one in google.project.objects("google_service_account"):
        if one["email"] == parts["email"]:
            google.project.remove("google_service_account", one)
            return {}
    raise not_found(f"Unknown service account: {parts['email']}")


def _bindings(google: Google) -> dict[str, list[str]]:
    alive = {one["email"] for one in google.project.objects("google_service_account")}
    found: dict[str, list[str]] = {}
    for one in google.project.objects("google_project_iam_member"):
        kind, _, email = one["member"].partition(":")
        ours = email.endswith(f"@{google.project.id}.iam.gserviceaccount.com")
        gone = kind == "serviceAccount" and ours and email not in alive
        member = f"deleted:{one['member']}?uid=1234" if gone else one["member"]
        found.setdefault(one["role"], []).append(member)
    return found


def _etag(google: Google) -> str:
    return f"etag-{hash(str(sorted(_bindings(google).items())))}"


@route("POST", rf"/cloudresourcemanager/v1/{_PROJECT}:getIamPolicy")
def get_policy(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """The roles that are granted on the project."""
    need_of(google.project, "resourcemanager.projects.getIamPolicy")
    bindings = [{"role": role, "members": who} for role, who in _bindings(google).items()]
    return {"version": 1, "etag": _etag(google), "bindings": bindings}


@route("POST", rf"/cloudresourcemanager/v1/{_PROJECT}:setIamPolicy")
def set_policy(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Refused when it is not the policy that was read; here grants can only be taken away."""
    need_of(google.project, "resourcemanager.projects.setIamPolicy")
    policy = request.json["policy"]
    if policy.get("etag") != _etag(google):
        said = "There were concurrent policy changes. Please retry the whole read-modify-write"
        raise Refused(409, "ABORTED", said)
    wanted = {(one["role"], who) for one in policy["bindings"] for who in one["members"]}
    had = {(role, who) for role, members in _bindings(google).items() for who in members}
    if not wanted <= had:
        raise Refused(400, "INVALID_ARGUMENT", "this Google only takes grants away")
    for role, who in had - wanted:
        member = who.removeprefix("deleted:").partition("?uid=")[0]
        for one in list(google.project.objects("google_project_iam_member")):
            if (one["role"], one["member"]) == (role, member):
                google.project.remove("google_project_iam_member", one)
    return {**policy, "etag": _etag(google)}
