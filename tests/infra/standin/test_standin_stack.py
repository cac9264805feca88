"""A small stack on the provider stand-in, by the real Terraform and on real emulators."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from localcloud.google import import_id
from taxistack.errors import UsageError
from taxistack.terraform import ApplyResult, Plan, StateLockedError, Terraform, TerraformError

Stack = Callable[..., Terraform]

STACK = """
variable "description" {
  type    = string
  default = "trips"
}
variable "secret" {
  type      = string
  ephemeral = true
  default   = null
}
variable "generation" {
  type    = number
  default = 1
}
variable "machine_type" {
  type    = string
  default = "e2-medium"
}
variable "zone" {
  type    = string
  default = "us-central1-a"
}
resource "google_storage_bucket" "lake" {
  name     = "${var.project}-lake"
  location = "EU"
  labels   = { stack = "test" }
}
resource "google_bigquery_dataset" "trips" {
  dataset_id                  = "trips"
  location                    = "EU"
  description                 = var.description
  labels                      = { stack = "test" }
  default_table_expiration_ms = 3600000
}
resource "google_secret_manager_secret" "password" {
  secret_id = "password"
  replication {
    auto {}
  }
}
resource "google_secret_manager_secret_version" "password" {
  secret                 = google_secret_manager_secret.password.id
  secret_data_wo         = var.secret
  secret_data_wo_version = var.generation
}
resource "google_compute_instance" "vm" {
  name                      = "vm"
  zone                      = var.zone
  machine_type              = var.machine_type
  desired_status            = "RUNNING"
  allow_stopping_for_update = true
  boot_disk {
    initialize_params {
      image = "debian-cloud/debian-12"
    }
  }
  network_interface {
    network = "default"
  }
  metadata = {
    kestra-user      = "admin@example.org"
    kestra-secrets   = jsonencode({ KESTRA_PASSWORD = "password", TOKEN = "password" })
    etl-requirements = "abc"
  }
  depends_on = [google_secret_manager_secret_version.password]
}
output "bucket" {
  value = google_storage_bucket.lake.url
}
"""
PASSWORD = {"secret": "Xq7-first-value"}


def up(terraform: Terraform, tmp_path: Path) -> tuple[Plan, ApplyResult]:
    terraform.init()
    plan = terraform.plan(tmp_path / "up.plan")
    return plan, terraform.apply(plan)


def down(terraform: Terraform, tmp_path: Path) -> ApplyResult:
    return terraform.apply(terraform.plan(tmp_path / "down.plan", destroy=True))


def actions(plan: Plan) -> dict[str, str]:
    return {change.address.split(".")[0]: change.action for change in plan.changes}


def test_a_stack_comes_up_stays_as_it_is_and_goes(
    standin, stack: Stack, terraform_program: tuple[str, ...], tmp_path: Path
) -> None:
    terraform = stack(STACK, secrets=PASSWORD, executable=terraform_program)
    plan, result = up(terraform, tmp_path)
    assert plan.counts == {"create": 5}
    assert set(result.seconds) == {change.address for change in plan.changes}
    assert httpx.get(standin.bucket_url(f"{standin.project}-lake")).status_code == 200
    dataset = httpx.get(standin.dataset_url("trips")).json()
    assert (dataset["labels"], dataset["description"]) == ({"stack": "test"}, "trips")
    assert dataset["defaultTableExpirationMs"] == "3600000"
    assert standin.cloud.secrets.get("password") == "Xq7-first-value"
    started = standin.cloud.started[-1]
    assert (started.user, started.password) == ("admin@example.org", "Xq7-first-value")
    assert started.secrets == {"TOKEN": "Xq7-first-value"}, "the server's own is none of its flows'"
    assert started.environment == {"ENV_ETL_REQUIREMENTS": "abc"}
    assert terraform.outputs() == {"bucket": f"gs://{standin.project}-lake"}

    again = terraform.plan()
    assert not again.any
    assert again.drift == ()

    assert len(down(terraform, tmp_path).resources) == 5
    assert terraform.resources() == []
    assert terraform.outputs() == {}
    assert httpx.get(standin.bucket_url(f"{standin.project}-lake")).status_code == 404
    assert httpx.get(standin.dataset_url("trips")).status_code == 404
    assert standin.cloud.secrets.versions("password") == []
    assert standin.cloud.instance is None
    assert not terraform.plan(tmp_path / "down.plan", destroy=True).any


@pytest.fixture
def running(standin, stack: Stack, tmp_path: Path) -> Terraform:
    """The stack, up."""
    terraform = stack(STACK, secrets=PASSWORD)
    up(terraform, tmp_path)
    return terraform


def test_a_deleted_bucket_is_made_again(standin, running: Terraform, tmp_path: Path) -> None:
    httpx.delete(standin.bucket_url(f"{standin.project}-lake"))
    plan, _ = up(running, tmp_path)
    assert actions(plan) == {"google_storage_bucket": "create"}
    assert httpx.get(standin.bucket_url(f"{standin.project}-lake")).status_code == 200
    assert not running.plan().any


def test_a_changed_label_of_a_dataset_is_put_right(
    standin, running: Terraform, tmp_path: Path
) -> None:
    httpx.patch(standin.dataset_url("trips"), json={"labels": {"stack": "other"}})
    assert [change.type for change in running.plan(refresh_only=True).drift] == [
        "google_bigquery_dataset"
    ]
    plan, _ = up(running, tmp_path)
    assert actions(plan) == {"google_bigquery_dataset": "update"}
    assert httpx.get(standin.dataset_url("trips")).json()["labels"] == {"stack": "test"}
    assert not running.plan().any


def test_a_stopped_instance_is_started(standin, running: Terraform, tmp_path: Path) -> None:
    standin.cloud.stop_instance()
    plan, _ = up(running, tmp_path)
    assert actions(plan) == {"google_compute_instance": "update"}
    assert standin.cloud.instance == "RUNNING"
    assert not running.plan().any


def test_a_lost_secret_is_stored_again(standin, running: Terraform, tmp_path: Path) -> None:
    standin.cloud.secrets.delete("password")
    plan, _ = up(running, tmp_path)
    assert actions(plan) == {"google_secret_manager_secret_version": "create"}
    assert standin.cloud.secrets.get("password") == "Xq7-first-value"


def test_a_raised_generation_stores_the_new_value(
    standin, running: Terraform, stack: Stack, tmp_path: Path
) -> None:
    new = stack(STACK, secrets={"secret": "Xq7-second"}, variables={"generation": 2})
    plan, _ = up(new, tmp_path)
    assert actions(plan) == {"google_secret_manager_secret_version": "replace"}
    assert standin.cloud.secrets.get("password") == "Xq7-second"
    assert standin.cloud.secrets.versions("password") == ["2"]


def test_another_machine_type_is_an_update_in_place(
    standin, running: Terraform, stack: Stack, tmp_path: Path
) -> None:
    bigger = stack(STACK, secrets=PASSWORD, variables={"machine_type": "e2-standard-4"})
    plan, _ = up(bigger, tmp_path)
    assert actions(plan) == {"google_compute_instance": "update"}
    assert len(standin.cloud.started) == 2, "a VM is stopped for that, and started again"
    assert not bigger.plan().any


WATCHED = """
variable "email" {
  type    = string
  default = null
}
resource "google_logging_metric" "beat" {
  name   = "beat"
  filter = "severity>=DEFAULT"
  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}
resource "google_monitoring_notification_channel" "email" {
  for_each     = var.email == null ? {} : { email = var.email }
  display_name = "alarms"
  type         = "email"
  labels       = { email_address = each.value }
  force_delete = true
}
resource "google_monitoring_alert_policy" "beat" {
  display_name          = "beat"
  combiner              = "OR"
  notification_channels = [for one in google_monitoring_notification_channel.email : one.name]
  conditions {
    display_name = "silent"
    condition_prometheus_query_language {
      query = "vector(0) < 1"
    }
  }
}
"""


def test_an_alarms_address_comes_changes_and_goes_in_place(
    standin, stack: Stack, tmp_path: Path
) -> None:
    plan, _ = up(stack(WATCHED), tmp_path)
    assert plan.counts == {"create": 2}
    policy, channel = "google_monitoring_alert_policy", "google_monitoring_notification_channel"
    for email, wanted in (
        ("a@example.org", {policy: "update", channel: "create"}),
        ("b@example.org", {channel: "update"}),
        (None, {policy: "update", channel: "delete"}),
    ):
        terraform = stack(WATCHED, variables={"email": email})
        plan, _ = up(terraform, tmp_path)
        assert actions(plan) == wanted
        assert not terraform.plan().any
    down(terraform, tmp_path)


def test_another_zone_is_a_replacement(running: Terraform, stack: Stack, tmp_path: Path) -> None:
    moved = stack(STACK, secrets=PASSWORD, variables={"zone": "us-central1-b"})
    plan, _ = up(moved, tmp_path)
    assert actions(plan) == {"google_compute_instance": "replace"}
    assert plan.changes[0].reason == "cannot_update"
    assert not moved.plan().any


def test_what_exists_can_be_imported(standin, running: Terraform) -> None:
    running._run("state rm", "google_storage_bucket.lake", "google_compute_instance.vm")
    with pytest.raises(TerraformError, match="Cannot import non-existent remote object"):
        running.import_("google_storage_bucket.lake", "nothing")
    running.import_("google_storage_bucket.lake", f"{standin.project}-lake")
    running.import_("google_compute_instance.vm", f"{standin.project}/us-central1-a/vm")
    assert not running.plan().any


def test_what_a_killed_run_made_is_adopted(running: Terraform, tmp_path: Path) -> None:
    unknown = {
        "google_storage_bucket.lake",
        "google_bigquery_dataset.trips",
        "google_compute_instance.vm",
    }
    running._run("state rm", *unknown)
    plan = running.plan(tmp_path / "up.plan")
    with pytest.raises(TerraformError, match="already exists") as caught:
        running.apply(plan)
    assert set(running.adopt(plan, caught.value, import_id)) == unknown
    assert not running.plan().any


def test_what_a_killed_run_is_making_is_waited_for(standin, stack: Stack, tmp_path: Path) -> None:
    terraform = stack(STACK, secrets=PASSWORD)
    standin.cloud.power.clear()
    with ThreadPoolExecutor(1) as runs:
        killed = runs.submit(up, terraform, tmp_path)
        assert standin.cloud.asked.wait(60)
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        with pytest.raises(TerraformError, match="killed by signal 9"):
            killed.result(timeout=60)
        with pytest.raises(StateLockedError) as locked:
            terraform.plan()
        terraform.force_unlock(locked.value.lock.id)
        plan = terraform.plan(tmp_path / "first.plan")
        with pytest.raises(TerraformError, match="already exists") as caught:
            terraform.apply(plan)
        assert "google_secret_manager_secret.password" in terraform.adopt(
            plan, caught.value, import_id
        )
        plan = terraform.plan(tmp_path / "second.plan")
        again = runs.submit(terraform.apply, plan)
        with pytest.raises(TimeoutError):
            again.result(timeout=5)
        standin.cloud.power.set()
        with pytest.raises(TerraformError, match="already exists") as caught:
            again.result(timeout=60)
    assert terraform.adopt(plan, caught.value, import_id) == ["google_compute_instance.vm"]
    terraform.apply(terraform.plan(tmp_path / "finish.plan"))
    assert not terraform.plan().any
    assert len(standin.cloud.started) == 1


def test_a_local_cloud_has_one_instance(running: Terraform, stack: Stack, tmp_path: Path) -> None:
    begin, end = (STACK.index(text) for text in ('resource "google_compute_instance"', "output"))
    terraform = stack(STACK + STACK[begin:end].replace('"vm"', '"second"'), secrets=PASSWORD)
    with pytest.raises(TerraformError, match="a state folder of its own"):
        up(terraform, tmp_path)


def test_a_bucket_with_objects_stays_unless_forced(
    standin, running: Terraform, stack: Stack, tmp_path: Path
) -> None:
    upload = f"{standin.emulators.storage.url}/upload/storage/v1/b/{standin.project}-lake/o"
    httpx.post(upload, params={"uploadType": "media", "name": "raw/a b.csv"}, content=b"x")
    with pytest.raises(TerraformError, match="without `force_destroy` set to true"):
        down(running, tmp_path)
    assert httpx.get(standin.bucket_url(f"{standin.project}-lake")).status_code == 200
    forced = stack(
        STACK.replace(
            'location = "EU"\n  labels', 'location = "EU"\n  force_destroy = true\n  labels'
        ),
        secrets=PASSWORD,
    )
    up(forced, tmp_path)
    down(forced, tmp_path)
    assert httpx.get(standin.bucket_url(f"{standin.project}-lake")).status_code == 404


def test_a_dataset_with_tables_stays_unless_told(
    standin, running: Terraform, tmp_path: Path
) -> None:
    table = {
        "tableReference": {
            "projectId": standin.project,
            "datasetId": "trips",
            "tableId": "t",
        },
        "schema": {"fields": [{"name": "a", "type": "STRING"}]},
    }
    httpx.post(f"{standin.dataset_url('trips')}/tables", json=table).raise_for_status()
    with pytest.raises(TerraformError, match="is not empty"):
        down(running, tmp_path)
    assert httpx.get(standin.dataset_url("trips")).status_code == 200


def test_a_protected_instance_stays(standin, stack: Stack, tmp_path: Path) -> None:
    text = STACK.replace("desired_status", "deletion_protection = true\n  desired_status")
    terraform = stack(text, secrets=PASSWORD)
    up(terraform, tmp_path)
    with pytest.raises(TerraformError, match="set deletion_protection = false and apply"):
        down(terraform, tmp_path)
    assert standin.cloud.instance == "RUNNING"


def test_an_engine_that_does_not_come_up_can_be_tried_again(
    standin, stack: Stack, tmp_path: Path
) -> None:
    terraform = stack(STACK, secrets=PASSWORD)
    standin.cloud.broken = True
    with pytest.raises(TerraformError, match="kestra: did not come up"):
        up(terraform, tmp_path)
    assert standin.cloud.instance is None
    standin.cloud.broken = False
    plan, _ = up(terraform, tmp_path)
    assert actions(plan) == {"google_compute_instance": "create"}


def test_a_type_that_is_not_emulated_is_refused_by_name(stack: Stack) -> None:
    terraform = stack('resource "google_pubsub_topic" "t" {\n  name = "t"\n}\n')
    terraform.init()
    with pytest.raises(
        TerraformError, match='does not support resource type "google_pubsub_topic"'
    ):
        terraform.validate()


def test_a_name_that_google_cloud_would_refuse_is_refused(stack: Stack) -> None:
    terraform = stack('resource "google_compute_network" "n" {\n  name = "Bad_Name"\n}\n')
    terraform.init()
    with pytest.raises(TerraformError, match='"Bad_Name" is no valid name') as caught:
        terraform.validate()
    assert caught.value.diagnostics[0].code == 'name = "Bad_Name"'


def test_two_provider_blocks_do_not_disturb_each_other(stack: Stack, tmp_path: Path) -> None:
    hcl = """
    provider "google" {
      alias   = "other"
      project = "other-project"
    }
    resource "google_compute_network" "here" {
      name = "n"
    }
    resource "google_compute_network" "there" {
      provider = google.other
      name     = "n"
    }
    output "projects" {
      value = [google_compute_network.here.project, google_compute_network.there.project]
    }
    """
    terraform = stack(hcl)
    up(terraform, tmp_path)
    here, there = terraform.outputs()["projects"]
    assert here.startswith("test-")
    assert there == "other-project"


def test_init_runs_only_when_something_changed(stack: Stack, root: Path) -> None:
    terraform = stack("")
    assert terraform.init()
    assert not terraform.init()
    (root / "more.tf").write_text("locals {\n  a = 1\n}\n")
    assert terraform.init()
    assert not (root / ".terraform").exists()
    assert not (root / ".terraform.lock.hcl").exists()


def test_a_broken_setting_is_wrong_use_and_creates_nothing(
    standin, stack: Stack, root: Path
) -> None:
    rule = """
    variable "size" {
      type = number
      validation {
        condition     = var.size < 100
        error_message = "must be below 100 GB."
      }
    }
    """
    terraform = stack(rule, variables={"size": 200})
    terraform.init()
    with pytest.raises(UsageError, match="size: must be below 100 GB"):
        terraform.plan()


def test_the_user_s_own_settings_change_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TF_VAR_description", "mine")
    monkeypatch.setenv("TF_CLI_ARGS", "-no-such-flag")
    monkeypatch.setenv("TF_WORKSPACE", "mine")
    monkeypatch.setenv("TF_LOG", "TRACE")
    terraform = stack(STACK, secrets=PASSWORD)
    plan, _ = up(terraform, tmp_path)
    shown = terraform.show(plan)
    assert shown["variables"]["description"] == {"value": "trips"}
    assert "mine" not in json.dumps(shown)


def test_a_bucket_that_another_made_is_taken_in_as_it_is(
    standin, stack: Stack, tmp_path: Path
) -> None:
    name = f"{standin.project}-theirs"
    made = {"name": name, "location": "US-CENTRAL1"}
    httpx.post(
        f"{standin.emulators.storage.url}/storage/v1/b?project=any", json=made
    ).raise_for_status()
    terraform = stack(
        'resource "google_storage_bucket" "theirs" {\n'
        f'  name = "{name}"\n  location = "US-CENTRAL1"\n'
        "  uniform_bucket_level_access = true\n}\n"
    )
    terraform.init()
    terraform.import_("google_storage_bucket.theirs", name)
    taken = terraform.plan(out=tmp_path / "plan")
    assert actions(taken) == {"google_storage_bucket": "update"}
    terraform.apply(taken)
    assert not terraform.plan().any
