"""What a plan shows, against the facts of the real provider."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.google.planning import Context, fill, place, plan, replacing
from localcloud.google.schema import table
from localcloud.google.types import TYPES, object_id
from localcloud.google.values import UNKNOWN, conform

HERE = Context(project="proj", region="us-central1", zone="us-central1-a")
NO_MARK = Context(project="proj", attribution=False)


def created(kind: str, config: dict[str, Any], ctx: Context = HERE) -> dict[str, Any]:
    """The plan of a new object."""
    row = table().rows[kind]
    value = conform(row.block, config)
    return plan(row, None, value, value, ctx)


def applied(kind: str, config: dict[str, Any], ctx: Context = HERE) -> dict[str, Any]:
    """The object once it exists."""
    obj = created(kind, config, ctx)
    place(obj, ctx)
    obj["id"] = object_id(TYPES[kind], obj)
    fill(table().rows[kind], TYPES[kind], obj)
    return obj


def updated(
    kind: str,
    prior: dict[str, Any],
    config: dict[str, Any],
    change: dict[str, Any] | None = None,
    ctx: Context = HERE,
) -> dict[str, Any]:
    """The plan of an object that exists, when `change` is made to its configuration.

    Terraform itself proposes the prior values for what the configuration leaves out.
    """
    row = table().rows[kind]
    wanted = {**config, **(change or {})}
    return plan(row, prior, {**prior, **(change or {})}, conform(row.block, wanted), ctx)


BUCKET = {"name": "lake", "location": "EU", "labels": {"a": "b"}}
DISK = {"name": "data", "size": 20}
SUBNET = {"name": "net", "network": "net", "ip_cidr_range": "10.60.0.0/24"}


def test_what_the_configuration_leaves_out_is_its_default_or_known_after_apply() -> None:
    bucket = created("google_storage_bucket", BUCKET)
    assert bucket["storage_class"] == "STANDARD"
    assert bucket["force_destroy"] is False
    assert bucket["self_link"] is UNKNOWN
    assert bucket["soft_delete_policy"] is UNKNOWN


def test_project_and_zone_come_from_the_provider_block_where_the_real_one_shows_them() -> None:
    instance = created("google_compute_instance", {"name": "vm"})
    assert (instance["project"], instance["zone"]) == ("proj", "us-central1-a")
    disk = created("google_compute_disk", DISK)
    assert (disk["project"], disk["zone"]) == ("proj", UNKNOWN)


def test_another_project_in_the_provider_block_replaces() -> None:
    row, prior = table().rows["google_compute_disk"], applied("google_compute_disk", DISK)
    moved = updated("google_compute_disk", prior, DISK, ctx=Context(project="p2"))
    assert replacing("google_compute_disk", row, prior, moved) == [("project",)]


def test_an_account_s_email_is_known_before_it_exists() -> None:
    account = created("google_service_account", {"account_id": "kestra"})
    assert account["email"] == "kestra@proj.iam.gserviceaccount.com"
    assert account["member"] == "serviceAccount:kestra@proj.iam.gserviceaccount.com"
    assert created("google_service_account", {"account_id": UNKNOWN})["email"] is UNKNOWN


def test_labels_are_the_provider_s_and_the_object_s() -> None:
    ctx = Context(labels={"stack": "t", "a": "x"}, attribution=False)
    bucket = created("google_storage_bucket", BUCKET, ctx)
    assert bucket["terraform_labels"] == bucket["effective_labels"] == {"stack": "t", "a": "b"}
    marked = created("google_storage_bucket", BUCKET)
    assert marked["terraform_labels"] == {"a": "b", "goog-terraform-provisioned": "true"}


def test_a_label_of_somebody_else_stays() -> None:
    ctx = Context(project="p", attribution=False)
    prior = applied("google_storage_bucket", BUCKET, ctx)
    prior["effective_labels"] = {**prior["effective_labels"], "theirs": "1"}
    after = updated("google_storage_bucket", prior, BUCKET, {"labels": {"a": "c"}}, ctx)
    assert after["effective_labels"] == {"a": "c", "theirs": "1"}


def test_an_object_as_configured_plans_as_it_is() -> None:
    for kind, config in (("google_storage_bucket", BUCKET), ("google_compute_disk", DISK)):
        prior = applied(kind, config)
        assert updated(kind, prior, config) == prior


def test_values_that_the_cloud_gave_stay_through_an_update() -> None:
    prior = applied("google_storage_bucket", BUCKET)
    after = updated("google_storage_bucket", prior, BUCKET, {"force_destroy": True})
    assert after == {**prior, "force_destroy": True}
    assert (
        replacing("google_storage_bucket", table().rows["google_storage_bucket"], prior, after)
        == []
    )


@pytest.mark.parametrize(
    ("kind", "config", "change", "path"),
    [
        ("google_storage_bucket", BUCKET, {"location": "US"}, ("location",)),
        ("google_compute_disk", DISK, {"zone": "us-central1-b"}, ("zone",)),
        ("google_compute_disk", DISK, {"size": 30}, None),
        ("google_compute_disk", DISK, {"size": 19}, ("size",)),
        ("google_compute_subnetwork", SUBNET, {"ip_cidr_range": "10.60.0.0/20"}, None),
        (
            "google_compute_subnetwork",
            SUBNET,
            {"ip_cidr_range": "10.60.0.0/25"},
            ("ip_cidr_range",),
        ),
        (
            "google_compute_subnetwork",
            SUBNET,
            {"ip_cidr_range": "10.61.0.0/16"},
            ("ip_cidr_range",),
        ),
        ("google_bigquery_dataset", {"dataset_id": "d"}, {"location": "EU"}, ("location",)),
        ("google_bigquery_dataset", {"dataset_id": "d"}, {"description": "x"}, None),
    ],
)
def test_a_change_replaces_where_the_real_provider_replaces(
    kind: str, config: dict[str, Any], change: dict[str, Any], path: tuple[str] | None
) -> None:
    prior = applied(kind, config)
    after = updated(kind, prior, config, change)
    assert replacing(kind, table().rows[kind], prior, after) == ([path] if path else [])


def test_a_change_inside_a_block_replaces_by_the_block_s_own_facts() -> None:
    kind, row = "google_compute_instance", table().rows["google_compute_instance"]
    params = {"image": "debian", "size": 10}
    config = {
        "name": "vm",
        "machine_type": "e2-medium",
        "boot_disk": [{"initialize_params": [params]}],
    }
    prior = applied(kind, config)
    boot = prior["boot_disk"][0]
    image = [{**boot, "initialize_params": [{**boot["initialize_params"][0], "image": "ubuntu"}]}]
    after = updated(kind, prior, config, {"boot_disk": image})
    where = ("boot_disk", 0, "initialize_params", 0, "image")
    assert replacing(kind, row, prior, after) == [where]
    bigger = updated(kind, prior, config, {"machine_type": "e2-standard-4"})
    assert replacing(kind, row, prior, bigger) == []


RULE = {"action": [{"type": "Delete"}], "condition": [{"age": 1}]}


def rules(*given: dict[str, Any]) -> list[dict[str, Any]]:
    """Lifecycle rules as Terraform hands them over: every attribute is there, null if not given."""
    return conform(table().rows["google_storage_bucket"].block, {"lifecycle_rule": list(given)})[
        "lifecycle_rule"
    ]


def test_in_a_set_a_text_left_out_is_empty_and_so_is_a_list() -> None:
    """`terraform plan` of the real provider shows `matches_prefix = []` there, and no null."""
    rule = created("google_storage_bucket", {**BUCKET, "lifecycle_rule": rules(RULE)})
    (action,), (condition,) = (rule["lifecycle_rule"][0][part] for part in ("action", "condition"))
    assert action == {"type": "Delete", "storage_class": ""}
    assert (condition["age"], condition["created_before"], condition["matches_prefix"]) == (
        1,
        "",
        [],
    )
    assert (condition["num_newer_versions"], condition["send_age_if_zero"]) == (None, None)
    assert condition["with_state"] is UNKNOWN
    firewall = created("google_compute_firewall", {"name": "f", "allow": [{"protocol": "icmp"}]})
    assert firewall["allow"] == [{"protocol": "icmp", "ports": []}]


def test_outside_of_a_set_what_is_left_out_is_null() -> None:
    log = {"log_config": [{"metadata": "INCLUDE_ALL_METADATA"}]}
    subnetwork = created("google_compute_subnetwork", {"name": "n", **log})
    assert (subnetwork["description"], subnetwork["log_config"][0]["metadata_fields"]) == (
        None,
        None,
    )


def test_a_rule_that_did_not_change_keeps_what_the_cloud_gave() -> None:
    config = {**BUCKET, "lifecycle_rule": rules(RULE)}
    prior = applied("google_storage_bucket", config)
    assert prior["lifecycle_rule"][0]["condition"][0]["with_state"] == "ANY"
    assert updated("google_storage_bucket", prior, config, config) == prior
    older = rules({**RULE, "condition": [{"age": 2}]})
    (after,) = updated("google_storage_bucket", prior, config, {"lifecycle_rule": older})[
        "lifecycle_rule"
    ]
    assert (after["action"], after["condition"][0]["age"]) == (
        prior["lifecycle_rule"][0]["action"],
        2,
    )
    assert after["condition"][0]["with_state"] is UNKNOWN


def test_without_a_label_or_an_annotation_what_is_in_effect_is_known_after_apply() -> None:
    secret = created("google_secret_manager_secret", {"secret_id": "s"}, NO_MARK)
    assert secret["effective_annotations"] is UNKNOWN
    assert secret["effective_labels"] is secret["terraform_labels"] is UNKNOWN
    prior = applied("google_secret_manager_secret", {"secret_id": "s"}, NO_MARK)
    assert (prior["effective_annotations"], prior["effective_labels"]) == ({}, {})
    assert updated("google_secret_manager_secret", prior, {"secret_id": "s"}, ctx=NO_MARK) == prior
    given = {"secret_id": "s", "annotations": {"a": "b"}}
    known = created("google_secret_manager_secret", given, NO_MARK)
    assert known["effective_annotations"] == {"a": "b"}


def test_no_value_is_unknown_once_the_object_exists() -> None:
    assert "UNKNOWN" not in repr(applied("google_storage_bucket", {**BUCKET, "project": "p"}))
    assert "UNKNOWN" not in repr(applied("google_compute_disk", DISK))
