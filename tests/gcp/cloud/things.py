"""What Terraform has made, in the form in which Google's own APIs show it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.gcp.cloud.server import Google

MADE = "2026-01-01T00:00:00.000-07:00"  # of what does not say when: some time ago


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def _shown(value: Any) -> Any:
    """A provider's value: its blocks of one are objects of Google's."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return _shown(value[0])
    if isinstance(value, dict):
        return {_camel(k): _shown(v) for k, v in value.items() if v not in (None, [], "")}
    return value


def as_rest(google: Google, kind: str, one: dict[str, Any]) -> dict[str, Any]:
    """An object of Compute Engine's from what the provider stand-in has recorded of it."""
    item = {
        _camel(key): value if key in ("labels", "metadata") else _shown(value)
        for key, value in one.items()
        if value is not None
    }
    item["labels"] = one.get("effective_labels") or one.get("labels") or {}
    item["creationTimestamp"] = one.get("creation_timestamp") or MADE
    regional = kind.endswith(("resource_policy", "_router", "_subnetwork"))
    if regional:
        item["region"] = one.get("region") or "us-central1"
    elif kind.endswith(("_instance", "_disk")):
        item["zone"] = one.get("zone") or "us-central1-b"
    if kind == "google_compute_network":
        item["subnetworks"] = [
            f"projects/{google.project.id}/regions/us-central1/subnetworks/{sub['name']}"
            for sub in google.project.objects("google_compute_subnetwork")
            if str(sub.get("network", "")).endswith(f"/{one['name']}")
        ]
    if kind == "google_compute_disk":
        item["resourcePolicies"] = [
            f"projects/{google.project.id}/regions/us-central1/resourcePolicies/{made['name']}"
            for made in google.project.objects("google_compute_disk_resource_policy_attachment")
            if made["disk"].rpartition("/")[2] == one["name"]
        ]
    return item
