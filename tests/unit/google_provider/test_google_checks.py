"""The rules that the schema can't say."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.google.checks import problems
from localcloud.google.values import UNKNOWN

GOOD = [
    ("google_storage_bucket", {"name": "proj-taxi-lake"}),
    ("google_storage_bucket", {"name": UNKNOWN, "soft_delete_policy": UNKNOWN}),
    ("google_storage_bucket", {"soft_delete_policy": [{"retention_duration_seconds": 604800}]}),
    ("google_bigquery_dataset", {"dataset_id": "taxi_trips"}),
    ("google_service_account", {"account_id": "taxi-kestra"}),
    ("google_secret_manager_secret", {"secret_id": "a_B-1", "replication": [{"auto": [{}]}]}),
    ("google_secret_manager_secret_version", {"secret_data_wo": "x"}),
    ("google_compute_network", {"name": "n"}),
    ("google_compute_subnetwork", {"name": "n", "ip_cidr_range": "10.0.0.0/24"}),
    ("google_compute_firewall", {"name": "f", "allow": [{}], "source_ranges": ["10.0.0.0/8"]}),
    ("google_iam_workload_identity_pool", {"workload_identity_pool_id": "github"}),
    ("google_monitoring_notification_channel", {"labels": {"email_address": "ops@example.org"}}),
    ("google_project_iam_member", {"member": "serviceAccount:a@b.iam.gserviceaccount.com"}),
]
BAD = [
    ("google_storage_bucket", {"name": "Lake"}, "name"),
    ("google_storage_bucket", {"name": "my-google-lake"}, "name"),
    ("google_storage_bucket", {"labels": {"Stack": "a"}}, "labels"),
    ("google_storage_bucket", {"labels": {"stack": "A b"}}, "labels"),
    ("google_monitoring_alert_policy", {"user_labels": {"stack": "A b"}}, "user_labels"),
    ("google_storage_bucket", {"public_access_prevention": "yes"}, "public_access_prevention"),
    (
        "google_storage_bucket",
        {"soft_delete_policy": [{"retention_duration_seconds": 60}]},
        "soft_delete_policy",
    ),
    ("google_bigquery_dataset", {"dataset_id": "taxi-trips"}, "dataset_id"),
    ("google_service_account", {"account_id": "k"}, "account_id"),
    ("google_secret_manager_secret", {"secret_id": "a.b"}, "secret_id"),
    (
        "google_secret_manager_secret",
        {"replication": [{"auto": [{}], "user_managed": [{}]}]},
        "replication",
    ),
    ("google_secret_manager_secret_version", {"secret_data": "x"}, "secret_data"),
    ("google_secret_manager_secret_version", {}, "secret_data"),
    ("google_compute_network", {"name": "n-"}, "name"),
    ("google_compute_subnetwork", {"ip_cidr_range": "10.0.0.1/24"}, "ip_cidr_range"),
    ("google_compute_firewall", {"source_ranges": ["10.0.0.0/8"]}, "allow"),
    ("google_compute_firewall", {"allow": [{}], "deny": [{}], "source_tags": ["a"]}, "deny"),
    ("google_compute_firewall", {"allow": [{}]}, "source_ranges"),
    (
        "google_compute_firewall",
        {"allow": [{}], "direction": "EGRESS", "source_ranges": ["10.0.0.0/8"]},
        "source_ranges",
    ),
    (
        "google_compute_firewall",
        {"allow": [{}], "source_tags": ["a"], "destination_ranges": ["10.0.0.0/8"]},
        "destination_ranges",
    ),
    (
        "google_iam_workload_identity_pool",
        {"workload_identity_pool_id": "gcp-x"},
        "workload_identity_pool_id",
    ),
    ("google_iam_workload_identity_pool_provider", {"oidc": [{}], "aws": [{}]}, "oidc"),
    ("google_project_iam_member", {"member": "kestra"}, "member"),
]


@pytest.mark.parametrize(("kind", "config"), GOOD)
def test_a_good_configuration_passes(kind: str, config: dict[str, Any]) -> None:
    assert list(problems(kind, config)) == []


@pytest.mark.parametrize(("kind", "config", "attribute"), BAD)
def test_a_bad_one_is_told_at_its_attribute(
    kind: str, config: dict[str, Any], attribute: str
) -> None:
    assert [name for name, _ in problems(kind, config)] == [attribute]
