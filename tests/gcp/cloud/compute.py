"""Compute Engine: machines, their boot reports, and lists by label or name.

Shapes: the REST reference of Compute Engine v1.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tests.gcp.cloud.answers import Refused, Request, not_found
from tests.gcp.cloud.things import as_rest

if TYPE_CHECKING:
    from tests.gcp.cloud.server import Google

Parts = dict[str, str]
Handle = Callable[["Google", Request, Parts], dict[str, Any]]
ROUTES: list[tuple[str, re.Pattern[str], Handle]] = []
_PROJECT = r"/compute/v1/projects/(?P<project>[^/]+)"
_ZONE = rf"{_PROJECT}/zones/(?P<zone>[^/]+)"
_INSTANCE = rf"{_ZONE}/instances/(?P<instance>[^/]+)"
# Collection -> the provider's type of what is in it.
AGGREGATED = {
    "disks": "google_compute_disk",
    "instances": "google_compute_instance",
    "resourcePolicies": "google_compute_resource_policy",
    "routers": "google_compute_router",
    "subnetworks": "google_compute_subnetwork",
}
GLOBAL = {"firewalls": "google_compute_firewall", "networks": "google_compute_network"}
_FILTER = re.compile(r"(labels\.(?P<label>\w+)|name)(\s*=\s*(?P<value>[\w-]+)|:\*)")


def route(method: str, pattern: str) -> Callable[[Handle], Handle]:
    """Answer calls of this form."""

    def add(handle: Handle) -> Handle:
        ROUTES.append((method, re.compile(pattern), handle))
        return handle

    return add


def need(google: Google, permission: str) -> None:
    """Raises Refused (403) when the caller lacks the permission."""
    project = google.project
    if permission in project.denied:
        said = f"Required '{permission}' permission for 'projects/{project.id}'"
        raise Refused(403, "", said, "forbidden")


def _chosen(request: Request, items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    text = request.query.get("filter", "")
    found = _FILTER.fullmatch(text)
    if text and found is None:
        raise Refused(400, "", f"Invalid value for field 'filter': '{text}'.", "invalid")
    if found is None:
        return list(items)
    label, value = found["label"], found["value"]

    def fits(one: dict[str, Any]) -> bool:
        is_ = (one.get("labels") or {}).get(label) if label else one["name"]
        return is_ is not None if value is None else is_ == value

    return [one for one in items if fits(one)]


def _list(google: Google, request: Request, kind: str) -> list[dict[str, Any]]:
    rest = [as_rest(google, kind, one) for one in google.project.objects(kind)]
    return _chosen(request, rest)


@route("GET", rf"{_PROJECT}/aggregated/(?P<collection>\w+)")
def list_everywhere(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Every zone's or region's, in the form in which Compute groups them."""
    collection = parts["collection"]
    if collection not in AGGREGATED:
        raise not_found(f"The resource '{collection}' was not found")
    need(google, f"compute.{collection}.list")
    nothing = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results."}}
    groups: dict[str, dict[str, Any]] = {
        "zones/us-central1-b": nothing,
        "zones/us-east1-c": nothing,
    }
    for one in _list(google, request, AGGREGATED[collection]):
        where = f"zones/{one['zone']}" if "zone" in one else f"regions/{one['region']}"
        if collection not in groups.get(where, {}):
            groups[where] = {collection: []}
        groups[where][collection].append(one)
    return {"items": groups}


@route("GET", rf"{_PROJECT}/global/(?P<collection>\w+)")
def list_global(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Snapshots, firewalls, networks."""
    collection = parts["collection"]
    if collection != "snapshots" and collection not in GLOBAL:
        raise not_found(f"The resource '{collection}' was not found")
    need(google, f"compute.{collection}.list")
    if collection == "snapshots":
        items = _chosen(request, google.project.snapshots)
    else:
        items = _list(google, request, GLOBAL[collection])
    return {"items": items} if items else {}


@route("POST", rf"{_ZONE}/disks/(?P<disk>[^/]+)/createSnapshot")
def create_snapshot(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Begin one of a disk; it is ready when it was looked at once."""
    need(google, "compute.disks.createSnapshot")
    need(google, "compute.snapshots.create")
    asked, snapshots = request.json, google.project.snapshots
    disks = google.project.objects("google_compute_disk")
    if (parts["disk"], parts["zone"]) not in {(one["name"], one["zone"]) for one in disks}:
        raise not_found(f"The resource '{parts['zone']}/disks/{parts['disk']}' was not found")
    if asked["name"] in [one["name"] for one in snapshots]:
        raise Refused(409, "", f"The resource '{asked['name']}' already exists", "alreadyExists")
    google.snapshotted(asked["name"])
    kept = {name: asked[name] for name in ("name", "labels", "storageLocations")}
    snapshots.append({**kept, "kind": "compute#snapshot", "status": "CREATING"})
    return operation("createSnapshot", parts)


@route("DELETE", rf"{_PROJECT}/global/snapshots/(?P<snapshot>[^/]+)")
def delete_snapshot(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Remove one."""
    need(google, "compute.snapshots.delete")
    left = [one for one in google.project.snapshots if one["name"] != parts["snapshot"]]
    if len(left) == len(google.project.snapshots):
        raise not_found(f"The resource '{parts['snapshot']}' was not found")
    google.project.snapshots = left
    return operation("delete", parts)


def operation(kind: str, parts: Parts) -> dict[str, Any]:
    """What has begun; only its own zone, region or the world knows it."""
    where = parts.get("zone") or parts.get("region") or "global"
    return {"kind": "compute#operation", "name": f"operation-{where}-{uuid.uuid4()}",
            "operationType": kind, "status": "RUNNING"}  # fmt: skip


def _instance(google: Google, parts: Parts) -> dict[str, Any]:
    for one in google.project.objects("google_compute_instance"):
        zone = as_rest(google, "google_compute_instance", one)["zone"]
        if (one["name"], zone) == (parts["instance"], parts["zone"]):
            return one
    place = f"projects/{google.project.id}/zones/{parts['zone']}/instances/{parts['instance']}"
    raise not_found(f"The resource '{place}' was not found")


@route("GET", _INSTANCE)
def get_instance(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """The machine, its metadata among it."""
    need(google, "compute.instances.get")
    one = _instance(google, parts)
    vm = google.vm(one["name"])
    metadata = google.metadata(one["name"])
    status = vm.status
    if status == "STOPPING":  # seen once
        vm.status = "TERMINATED"
    return {
        "kind": "compute#instance",
        "name": one["name"],
        "status": status,
        "lastStartTimestamp": vm.started_at,
        "labels": one["effective_labels"] or {},
        "deletionProtection": bool(one.get("deletion_protection")),
        "metadata": {
            "fingerprint": "AAAA",
            "items": [{"key": k, "value": v} for k, v in sorted(metadata.items())],
        },
    }


@route("GET", rf"{_INSTANCE}/getGuestAttributes")
def get_guest_attributes(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """What the boot script wrote last."""
    need(google, "compute.instances.getGuestAttributes")
    vm = google.vm(_instance(google, parts)["name"])
    if request.query.get("queryPath") != "taxistack/boot" or not vm.report:
        raise not_found("The resource 'guestAttributes' of type 'Guest Attribute' was not found.")
    item = {"namespace": "taxistack", "key": "boot", "value": vm.look()}
    return {"kind": "compute#guestAttributes", "queryPath": "taxistack/boot",
            "queryValue": {"items": [item]}}  # fmt: skip


@route("POST", rf"{_INSTANCE}/stop")
def stop_instance(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Shut the machine down; the report of its last boot stays."""
    need(google, "compute.instances.stop")
    vm = google.vm(_instance(google, parts)["name"])
    vm.status = "STOPPING"
    return operation("stop", parts)


@route("POST", rf"{_INSTANCE}/start")
def start_instance(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Start a stopped machine: it boots with the metadata of now."""
    need(google, "compute.instances.start")
    name = _instance(google, parts)["name"]
    vm = google.vm(name)
    if vm.status == "STOPPING":
        raise Refused(400, "", f"The resource '{name}' is not ready", "resourceNotReady")
    if vm.status == "TERMINATED":  # of a machine that runs, Google makes nothing of it
        vm.boot(google.metadata(name))
    return operation("start", parts)


@route(
    "POST",
    rf"{_PROJECT}/(zones/(?P<zone>[^/]+)|regions/(?P<region>[^/]+)|global)"
    r"/operations/(?P<operation>[\w-]+)/wait",
)
def wait_for_operation(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Operations here end as soon as they are waited for, where they are."""
    where = parts["zone"] or parts["region"] or "global"
    if not parts["operation"].startswith(f"operation-{where}-"):
        raise not_found(f"The resource '{where}/operations/{parts['operation']}' was not found")
    return {"kind": "compute#operation", "name": parts["operation"], "status": "DONE",
            "progress": 100}  # fmt: skip
