"""The resource types that the stand-in knows: their ids and the values that the cloud gives.

A type is a row of `schema.json` (what may be written), an id template, and the values of computed
attributes once the object exists. `{x}` in a template is the attribute x of the object, with
project, region and zone filled in. The ids are those of the real provider, so `terraform import`
takes the same text on both targets.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
Value = Callable[[Object], Any]

_COMPUTE = "https://www.googleapis.com/compute/v1/"


@dataclass(frozen=True)
class Kind:
    """One type. `values`: dotted attribute path -> its value; `blocks`: computed blocks' content.

    `adopts`: creating one that exists is no error (members of a policy, enabled services).
    """

    id: str
    values: Mapping[str, Value] = field(default_factory=dict)
    blocks: Mapping[str, list[Object]] = field(default_factory=dict)
    adopts: bool = False


def object_id(kind: Kind, obj: Object) -> str:
    """The id of an object; references to others count by their last part."""
    names = {key: last(value) if key in _REFERENCES else value for key, value in obj.items()}
    text = kind.id.format(**names)
    for condition in obj.get("condition") or []:
        text += f"/{condition['title']}"
    return text


_REFERENCES = {"dataset_id", "disk", "router", "secret_id", "workload_identity_pool_id"}


def last(reference: Any) -> str:
    """The name at the end of an id or a self link."""
    return str(reference or "").rsplit("/", 1)[-1]


def computed(kind: Kind, obj: Object, path: str) -> Any:
    """The value that the cloud gives to a computed attribute; None when it gives none."""
    value = kind.values.get(path) or _COMMON.get(path)
    return value(obj) if value else None


def _now(obj: Object) -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _millis(obj: Object) -> int:
    return int(time.time() * 1000)


def _number(text: str, digits: int) -> str:
    """A number that belongs to a text: the same in every run, and never starting with 0."""
    return str(int(hashlib.sha256(text.encode()).hexdigest(), 16) + 10**digits)[:digits]


def _object_number(obj: Object) -> str:
    return _number(obj["id"], 18)


def _fresh_number(obj: Object) -> str:
    """A number that an object made anew under the same name does not share."""
    return _number(f"{obj['id']} {time.time_ns()}", 18)


def project_number(project: str) -> str:
    """The number of a project, as Google Cloud gives one."""
    return _number(f"project {project}", 12)


def _fingerprint(name: str) -> Value:
    return lambda obj: hashlib.sha256(repr(obj.get(name)).encode()).hexdigest()[:11] + "="


def _etag(obj: Object) -> str:
    return hashlib.sha256(f"{obj['id']} {time.time_ns()}".encode()).hexdigest()[:11] + "="


def _link(host: str) -> Value:
    return lambda obj: host + obj["id"]


def _always(value: Any) -> Value:
    return lambda obj: value


def _attribute(name: str) -> Value:
    return lambda obj: obj.get(name)


def _email(obj: Object) -> str:
    return f"{obj['account_id']}@{obj['project']}.iam.gserviceaccount.com"


def _gateway(obj: Object) -> str:
    network = ipaddress.ip_network(obj["ip_cidr_range"], strict=False)
    return str(network.network_address + 1)


_COMMON: Mapping[str, Value] = {
    "self_link": _link(_COMPUTE),
    "creation_timestamp": _now,
    "create_time": _now,
    "update_time": _now,
    "etag": _etag,
    "fingerprint": _fingerprint("name"),
    "label_fingerprint": _fingerprint("effective_labels"),
}

_SECRET = "projects/{project}/secrets/{secret_id}"  # noqa: S105 - an id, not a value
_POOL = "projects/{project}/locations/global/workloadIdentityPools/{workload_identity_pool_id}"

TYPES: Mapping[str, Kind] = {
    "google_bigquery_dataset": Kind(
        "projects/{project}/datasets/{dataset_id}",
        {
            "self_link": _link("https://bigquery.googleapis.com/bigquery/v2/"),
            "creation_time": _millis,
            "last_modified_time": _millis,
            "max_time_travel_hours": _always("168"),
        },
    ),
    "google_bigquery_dataset_iam_member": Kind(
        "projects/{project}/datasets/{dataset_id}/{role}/{member}", adopts=True
    ),
    "google_compute_disk": Kind(
        "projects/{project}/zones/{zone}/disks/{name}",
        {
            "access_mode": _always("READ_WRITE_SINGLE"),
            "disk_id": _fresh_number,
            "physical_block_size_bytes": _always(4096),
            "size": _always(10),
        },
    ),
    "google_compute_disk_resource_policy_attachment": Kind("{project}/{zone}/{disk}/{name}"),
    "google_compute_firewall": Kind(
        "projects/{project}/global/firewalls/{name}", {"direction": _always("INGRESS")}
    ),
    "google_compute_instance": Kind(
        "projects/{project}/zones/{zone}/instances/{name}",
        {
            "boot_disk.device_name": _always("persistent-disk-0"),
            "boot_disk.initialize_params.size": _always(10),
            "boot_disk.initialize_params.type": _always("pd-standard"),
            "boot_disk.source": lambda obj: (
                _COMPUTE + f"projects/{obj['project']}/zones/{obj['zone']}/disks/{obj['name']}"
            ),
            "cpu_platform": _always("Intel Broadwell"),
            "current_status": _always("RUNNING"),
            "instance_id": _fresh_number,
            "metadata_fingerprint": _fingerprint("metadata"),
            "network_interface.name": _always("nic0"),
            "network_interface.network": _always("default"),
            "network_interface.network_ip": _always("10.128.0.2"),
            "network_interface.stack_type": _always("IPV4_ONLY"),
            "network_interface.subnetwork_project": _attribute("project"),
            "scheduling.on_host_maintenance": _always("MIGRATE"),
            "scheduling.provisioning_model": _always("STANDARD"),
            "tags_fingerprint": _fingerprint("tags"),
        },
        {
            "scheduling": [
                {
                    "automatic_restart": True,
                    "on_host_maintenance": "MIGRATE",
                    "preemptible": False,
                    "provisioning_model": "STANDARD",
                }
            ]
        },
    ),
    "google_compute_network": Kind(
        "projects/{project}/global/networks/{name}",
        {
            "network_id": _object_number,
            "numeric_id": _object_number,
            "routing_mode": _always("REGIONAL"),
        },
    ),
    "google_compute_resource_policy": Kind(
        "projects/{project}/regions/{region}/resourcePolicies/{name}"
    ),
    "google_compute_router": Kind("projects/{project}/regions/{region}/routers/{name}"),
    "google_compute_router_nat": Kind("{project}/{region}/{router}/{name}"),
    "google_compute_subnetwork": Kind(
        "projects/{project}/regions/{region}/subnetworks/{name}",
        {
            "gateway_address": _gateway,
            "purpose": _always("PRIVATE"),
            "stack_type": _always("IPV4_ONLY"),
            "subnetwork_id": lambda obj: int(_fresh_number(obj)),
        },
    ),
    "google_iam_workload_identity_pool": Kind(
        _POOL,
        {
            "name": lambda obj: (
                f"projects/{project_number(obj['project'])}/locations/global/"
                f"workloadIdentityPools/{obj['workload_identity_pool_id']}"
            ),
            "state": _always("ACTIVE"),
        },
    ),
    "google_iam_workload_identity_pool_provider": Kind(
        _POOL + "/providers/{workload_identity_pool_provider_id}",
        {
            "name": lambda obj: (
                f"projects/{project_number(obj['project'])}/locations/global/"
                f"workloadIdentityPools/{obj['workload_identity_pool_id']}/"
                f"providers/{obj['workload_identity_pool_provider_id']}"
            ),
            "state": _always("ACTIVE"),
        },
    ),
    "google_logging_metric": Kind("{name}"),
    # Google gives these two numbers: here they are known by what they are called.
    "google_monitoring_alert_policy": Kind(
        "projects/{project}/alertPolicies/{display_name}",
        {
            "name": _attribute("id"),
            "conditions.name": lambda obj: f"{obj['id']}/conditions/1",
        },
    ),
    "google_monitoring_notification_channel": Kind(
        "projects/{project}/notificationChannels/{display_name}", {"name": _attribute("id")}
    ),
    "google_project_iam_member": Kind("{project}/{role}/{member}", adopts=True),
    "google_project_service": Kind("{project}/{service}", adopts=True),
    "google_secret_manager_secret": Kind(
        _SECRET,
        {
            "name": lambda obj: (
                f"projects/{project_number(obj['project'])}/secrets/{obj['secret_id']}"
            )
        },
    ),
    "google_secret_manager_secret_iam_member": Kind(_SECRET + "/{role}/{member}", adopts=True),
    "google_secret_manager_secret_version": Kind(
        "{secret}/versions/{version}", {"name": _attribute("id")}
    ),
    "google_service_account": Kind(
        "projects/{project}/serviceAccounts/{account_id}@{project}.iam.gserviceaccount.com",
        {
            "email": _email,
            "member": lambda obj: f"serviceAccount:{_email(obj)}",
            "name": _attribute("id"),
            "unique_id": lambda obj: _number(obj["id"], 21),
        },
    ),
    "google_service_account_iam_member": Kind("{service_account_id}/{role}/{member}", adopts=True),
    "google_storage_bucket": Kind(
        "{name}",
        {
            "lifecycle_rule.condition.with_state": _always("ANY"),
            "project_number": lambda obj: int(project_number(obj["project"])),
            "public_access_prevention": _always("inherited"),
            "rpo": _always("DEFAULT"),
            "self_link": _link("https://www.googleapis.com/storage/v1/b/"),
            "soft_delete_policy.effective_time": _now,
            "time_created": _now,
            "updated": _now,
            "url": _link("gs://"),
        },
        {"soft_delete_policy": [{"retention_duration_seconds": 604800}]},
    ),
    "google_storage_bucket_iam_member": Kind("b/{bucket}/{role}/{member}", adopts=True),
}
