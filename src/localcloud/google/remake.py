"""Make `schema.json` again: `python -m localcloud.google.remake REFERENCE.json > schema.json`.

REFERENCE.json describes the real provider: `version`, `provider_config`, and for each type of
`resources` its `schema` (as `terraform providers schema -json` writes it) with the probed facts
`force_new`, `defaults` and `computed_blocks`. The probe ran with project `proj`, region
`us-central1`, zone `us-central1-a` in the provider block and `val0` for every required name.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from localcloud.google.schema import FLAGS, PROVIDER
from localcloud.google.types import TYPES

_PROBED = {"project": "proj", "region": "us-central1", "zone": "us-central1-a"}
# Defaults that the probe saw as text made from other attributes.
_MADE = {
    ("google_service_account", "email"): "{account_id}@{project}.iam.gserviceaccount.com",
    ("google_service_account", "member"): (
        "serviceAccount:{account_id}@{project}.iam.gserviceaccount.com"
    ),
}
# The provider block of the real provider has some 300 `*_custom_endpoint` arguments; these two
# are the ones that a configuration for an emulator would set.
_ENDPOINTS = ("storage_custom_endpoint", "big_query_custom_endpoint")


def remake(reference: dict[str, Any], types: list[str]) -> dict[str, Any]:
    """The document of `schema.json` for these types."""
    provider = reference["provider_config"]
    arguments = {
        name: attribute
        for name, attribute in provider["attributes"].items()
        if not name.endswith("_custom_endpoint") or name in _ENDPOINTS
    }
    return {
        "version": reference["version"],
        "provider": _block({**provider, "attributes": arguments}),
        "resources": {name: _row(name, reference["resources"][name]) for name in sorted(types)},
    }


def _row(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    defaults = {}
    for path, value in facts["defaults"].items():
        if path in _PROBED and value == _PROBED[path]:
            value = PROVIDER
        defaults[path] = _MADE.get((name, path), value)
    return {
        "force_new": sorted(facts["force_new"]),
        "defaults": defaults,
        "computed_blocks": sorted(facts["computed_blocks"]),
        **_block(facts["schema"]),
    }


def _block(schema: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if schema.get("attributes"):
        out["attributes"] = {
            name: [" ".join(flag for flag in FLAGS if a.get(flag)), a["type"]]
            for name, a in sorted(schema["attributes"].items())
        }
    if schema.get("block_types"):
        out["blocks"] = {name: _nested(b) for name, b in sorted(schema["block_types"].items())}
    return out


def _nested(nested: dict[str, Any]) -> dict[str, Any]:
    limits = {"min": nested.get("min_items", 0), "max": nested.get("max_items", 0)}
    return {
        "nesting": nested["nesting_mode"],
        **{name: value for name, value in limits.items() if value},
        **_block(nested["block"]),
    }


def to_text(document: dict[str, Any]) -> str:
    """The document as `schema.json` holds it: a line a type, so that a change shows as one."""
    head = {"version": document["version"], "provider": document["provider"]}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = [f"{json.dumps(key)}: {json.dumps(row)}" for key, row in document["resources"].items()]
    lines.append('"resources": {\n' + ",\n".join(rows) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    source = json.loads(Path(sys.argv[1]).read_text())
    sys.stdout.write(to_text(remake(source, list(TYPES))))
