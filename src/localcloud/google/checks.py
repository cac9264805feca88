"""What the schema can't say: formats of names, and arguments that exclude or need each other.

The rules are those that the real provider, or Google Cloud at apply, would enforce, for the names
and arguments that matter here. A value that is not known yet is not checked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from localcloud.google.types import Object
from localcloud.google.values import UNKNOWN

# An attribute and what is wrong with it.
Problem = tuple[str, str]

_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME_RULE = "1-63 lower-case letters, digits and hyphens, a letter first, no hyphen last"
_POOL = r"(?!gcp-)[a-z0-9-]{4,32}"
_POOL_RULE = "4-32 lower-case letters, digits and hyphens, and not beginning with gcp-"

# (type, attribute) -> pattern that the whole value matches, and the rule in words.
_FORMATS: dict[tuple[str, str], tuple[str, str]] = {
    ("google_bigquery_dataset", "dataset_id"): (
        r"[A-Za-z0-9_]{1,1024}",
        "1-1024 letters, digits and underscores",
    ),
    ("google_iam_workload_identity_pool", "workload_identity_pool_id"): (_POOL, _POOL_RULE),
    ("google_iam_workload_identity_pool_provider", "workload_identity_pool_provider_id"): (
        _POOL,
        _POOL_RULE,
    ),
    ("google_secret_manager_secret", "secret_id"): (
        r"[A-Za-z0-9_-]{1,255}",
        "1-255 letters, digits, hyphens and underscores",
    ),
    ("google_service_account", "account_id"): (
        r"[a-z][-a-z0-9]{4,28}[a-z0-9]",
        "6-30 lower-case letters, digits and hyphens, a letter first, no hyphen last",
    ),
    ("google_storage_bucket", "name"): (
        r"(?!goog)(?!.*google)[a-z0-9][-_.a-z0-9]{1,61}[a-z0-9]",
        "3-63 lower-case letters, digits, hyphens, underscores and dots, a letter or digit at "
        "both ends, without `google`",
    ),
}
for _kind in ("network", "subnetwork", "router", "router_nat", "firewall", "disk", "instance"):
    _FORMATS[f"google_compute_{_kind}", "name"] = (_NAME, _NAME_RULE)
_FORMATS["google_compute_resource_policy", "name"] = (_NAME, _NAME_RULE)

# Type -> groups of arguments of which exactly one must be given.
_ONE_OF: dict[str, tuple[tuple[str, ...], ...]] = {
    "google_compute_firewall": (("allow", "deny"),),
    "google_iam_workload_identity_pool_provider": (("aws", "oidc", "saml", "x509"),),
    "google_secret_manager_secret_version": (("secret_data", "secret_data_wo"),),
}

_LABEL_KEY = re.compile(r"[a-z][-_a-z0-9]{0,62}")
_LABEL_VALUE = re.compile(r"[-_a-z0-9]{0,63}")
_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers|project(Owner|Editor|Viewer):.+"
    r"|(user|serviceAccount|group|domain|principal|principalSet|iamMember|deleted):.+"
)


def problems(kind: str, config: Object) -> Iterator[Problem]:
    """What is wrong with the configuration of one object."""
    for (owner, name), (pattern, rule) in _FORMATS.items():
        value = config.get(name)
        if owner == kind and isinstance(value, str) and not re.fullmatch(pattern, value):
            yield name, f'"{value}" is no valid {name}: {rule}'
    for group in _ONE_OF.get(kind, ()):
        given = [name for name in group if config.get(name) not in (None, [])]
        if len(given) != 1 and not any(config.get(name) is UNKNOWN for name in group):
            names = ", ".join(f"`{name}`" for name in group)
            said = ", ".join(f"`{name}`" for name in given) or "none"
            yield given[-1] if given else group[0], f"exactly one of {names} is needed: {said}"
    yield from _label_problems(kind, config)
    member = config.get("member")
    if kind.endswith("_iam_member") and isinstance(member, str) and not _MEMBER.fullmatch(member):
        yield "member", f'"{member}" is no member: `serviceAccount:…`, `user:…`, `principalSet:…`'
    special = _SPECIAL.get(kind)
    if special:
        yield from special(config)


def _label_problems(kind: str, config: Object) -> Iterator[Problem]:
    # Those of a notification channel are its settings; `user_labels` are Cloud Monitoring's labels.
    name = "user_labels" if kind.startswith("google_monitoring_") else "labels"
    labels = config.get(name)
    for key, value in labels.items() if isinstance(labels, dict) else ():
        if not _LABEL_KEY.fullmatch(key):
            yield name, f'label "{key}": a key is 1-63 of a-z, 0-9, - and _, a letter first'
        if isinstance(value, str) and not _LABEL_VALUE.fullmatch(value):
            yield name, f'label {key} = "{value}": a value is up to 63 of a-z, 0-9, - and _'


def _blocks(config: Object, name: str) -> list[Object]:
    blocks = config.get(name)
    return [b for b in blocks if b is not UNKNOWN] if isinstance(blocks, list) else []


def _firewall(config: Object) -> Iterator[Problem]:
    egress = config.get("direction") == "EGRESS"
    if egress and config.get("source_ranges"):
        yield "source_ranges", "`source_ranges` is for direction INGRESS"
    if not egress and config.get("destination_ranges"):
        yield "destination_ranges", "`destination_ranges` is for direction EGRESS"
    sources = ("source_ranges", "source_tags", "source_service_accounts")
    if not egress and all(config.get(name) in (None, []) for name in sources):
        yield "source_ranges", "INGRESS needs one of " + ", ".join(f"`{s}`" for s in sources)


def _subnetwork(config: Object) -> Iterator[Problem]:
    value = config.get("ip_cidr_range")
    if isinstance(value, str):
        try:
            ipaddress.ip_network(value)
        except ValueError as error:
            yield "ip_cidr_range", f'"{value}" is no network: {error}'


def _secret(config: Object) -> Iterator[Problem]:
    for replication in _blocks(config, "replication"):
        given = [name for name in ("auto", "user_managed") if replication.get(name)]
        if len(given) != 1:
            yield "replication", "exactly one of `auto`, `user_managed` is needed"


def _secret_version(config: Object) -> Iterator[Problem]:
    if config.get("secret_data") not in (None, UNKNOWN):
        yield (
            "secret_data",
            "the local cloud does not take `secret_data`, which stands in Terraform's state: "
            "use `secret_data_wo`",
        )


def _bucket(config: Object) -> Iterator[Problem]:
    prevention = config.get("public_access_prevention")
    if prevention not in (None, UNKNOWN, "enforced", "inherited"):
        yield "public_access_prevention", f'"{prevention}" is neither enforced nor inherited'
    for policy in _blocks(config, "soft_delete_policy"):
        seconds = policy.get("retention_duration_seconds")
        if isinstance(seconds, int) and seconds and not 604800 <= seconds <= 7776000:
            yield "soft_delete_policy", "0 (off), or 7 to 90 days in seconds"


_SPECIAL: dict[str, Callable[[Any], Iterator[Problem]]] = {
    "google_compute_firewall": _firewall,
    "google_compute_subnetwork": _subnetwork,
    "google_secret_manager_secret": _secret,
    "google_secret_manager_secret_version": _secret_version,
    "google_storage_bucket": _bucket,
}
