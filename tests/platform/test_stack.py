"""The stack's life on the local target: up, drift, change, locks, secrets, down."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from localcloud import lock

ROOT = Path(__file__).resolve().parents[2]


def _resources(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {one["address"]: one["action"] for one in json.loads(done.stdout)["changes"]}


def test_up_again_changes_nothing(platform):
    answer = json.loads(platform.invoke("up", "--json").stdout)
    assert answer["changes"] == {}
    assert {one["action"] for one in answer["resources"]} == {"unchanged"}


def test_the_table_says_what_is_real_and_what_is_recorded_only(platform):
    answer = json.loads(platform.invoke("up", "--json").stdout)
    effects = {one["resource"]: one["effect"] for one in answer["resources"]}
    assert effects["google_storage_bucket.lake"] == "real"
    assert effects["module.kestra[0].google_compute_network.this"] == "recorded only"


def test_a_plan_with_changes_ends_with_10_only_when_asked(platform):
    bigger = {"INVOKE_TAXISTACK_MACHINE_TYPE": "e2-standard-4"}
    platform.invoke("plan", **bigger)
    platform.invoke("plan", "--detailed-exitcode", code=10, **bigger)
    platform.invoke("plan", "--detailed-exitcode", code=0)


def test_another_machine_type_is_an_update_in_place(platform):
    done = platform.invoke("plan", "--json", INVOKE_TAXISTACK_MACHINE_TYPE="e2-standard-4")
    assert _resources(done)["module.kestra[0].google_compute_instance.kestra"] == "update"


def test_another_zone_replaces_the_machine(platform):
    done = platform.invoke("plan", "--json", INVOKE_TAXISTACK_ZONE="us-central1-c")
    assert _resources(done)["module.kestra[0].google_compute_instance.kestra"] == "replace"


def test_a_setting_that_breaks_a_rule_is_wrong_use_and_names_the_rule(platform):
    done = platform.invoke("up", code=2, INVOKE_TAXISTACK_MACHINE_TYPE="e2-micro")
    assert "machine_type" in done.stderr
    assert "4 GiB" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(platform.invoke("plan", "--json").stdout)["any"] is False


def test_another_location_of_a_loaded_stack_is_refused_before_anything_moves(platform):
    bucket = platform.target.storage().bucket(platform.target.outputs.bucket)
    held = bucket.blob("mine/held.txt")  # a stack that no other test has loaded yet is empty
    held.upload_from_string("x")
    done = platform.invoke("up", code=2, INVOKE_TAXISTACK_LOCATION="EU")
    assert "setting location" in done.stderr
    assert "holds data: nothing was changed" in done.stderr
    assert json.loads(platform.invoke("plan", "--json").stdout)["any"] is False
    held.delete()


def test_a_stopped_instance_is_drift_and_up_starts_it_again(platform):
    platform.target.cloud.stop_instance()
    done = platform.invoke("status", "--drift", code=1)
    assert "google_compute_instance.kestra" in done.stdout
    platform.invoke("up")
    platform.target.forget()
    assert platform.target.wait_for_kestra()
    platform.invoke("status", "--drift")


def test_changed_labels_are_drift_and_up_restores_them(platform):
    client = platform.target.bigquery()
    name = f"{platform.target.outputs.project}.{platform.target.outputs.dataset}"
    dataset = client.get_dataset(name)
    wanted = dict(dataset.labels)
    dataset.labels = {**wanted, "environment": "somebody-elses"}
    client.update_dataset(dataset, ["labels"])
    buckets = platform.target.storage()
    bucket = buckets.get_bucket(platform.target.outputs.kestra_bucket)
    bucket.labels = {**bucket.labels, "environment": "somebody-elses", "more": "one"}
    bucket.patch()
    drifted = platform.invoke("status", "--drift", code=1).stdout
    assert "google_bigquery_dataset.trips" in drifted
    assert "google_storage_bucket.kestra" in drifted
    platform.invoke("up")
    assert client.get_dataset(name).labels == wanted
    # As the real provider's, labels that others add are none of Terraform's.
    assert buckets.get_bucket(bucket.name).labels == {**wanted, "more": "one"}


def test_a_deleted_bucket_is_drift_and_up_makes_it_again(platform):
    client = platform.target.storage()
    name = platform.target.outputs.kestra_bucket
    client.bucket(name).delete(force=True)
    done = platform.invoke("plan", "--json")
    assert _resources(done)["google_storage_bucket.kestra"] == "create"
    platform.invoke("up")
    assert client.lookup_bucket(name) is not None


def test_who_comes_second_waits_for_no_instance_that_is_being_made(platform):
    with lock.held(platform.target.cloud.layout.lock):  # as a start of the engine holds it
        platform.invoke("plan")


def test_of_two_ups_at_once_one_works_and_the_other_names_the_holder(platform):
    """The second begins while the first makes the engine start anew, which takes it seconds."""
    bigger = {"INVOKE_TAXISTACK_MACHINE_TYPE": "e2-standard-8"}
    first = subprocess.Popen(
        [sys.executable, "-m", "invoke", "up"],
        cwd=ROOT,
        env={**os.environ, "INVOKE_TAXISTACK_STATE": str(platform.state), **bigger},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    cloud = platform.target.cloud
    while first.poll() is None and cloud.instance_state() == "RUNNING":
        time.sleep(0.05)
    second = platform.invoke("up", code=4, **bigger)
    holder = f"{getpass.getuser()}@{os.uname().nodename} holds the lock on this stack (apply since"
    assert holder in second.stderr
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 0, said
    platform.invoke("up")


def test_no_secret_stands_anywhere_but_in_the_private_store(platform):
    secrets = {
        platform.target.kestra_password(),
        platform.target.postgres_password(),
    }
    private = platform.state / "cloud" / "private"
    found = []
    for path in platform.state.rglob("*"):
        if path.is_file() and private not in path.parents:
            content = path.read_bytes()
            found += [path for secret in secrets if secret.encode() in content]
    assert found == []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())  # None: it has ended
        assert not any(secret in line for secret in secrets), line


def test_private_files_are_for_their_owner_only(platform):
    private = platform.state / "cloud" / "private"
    assert private.stat().st_mode & 0o077 == 0
    for path in private.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("flags", [["--yes"], ["--yes", "--json"]])
def test_down_on_nothing_succeeds(invoke_on, tmp_path, flags):
    done = invoke_on(tmp_path / "none", "down", *flags)
    assert "0 left" in done.stdout + done.stderr


WITH_THE_ENVIRONMENT = """
import os
import psycopg
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage

for place in ("", os.environ["DATABASE_URL"]):
    with psycopg.connect(place) as connection:
        print(connection.execute("SELECT 1").fetchone()[0])
print(os.environ["TAXI_BUCKET"] in [bucket.name for bucket in storage.Client().list_buckets()])
client = bigquery.Client(credentials=AnonymousCredentials())
print(os.environ["TAXI_DATASET"] in [dataset.dataset_id for dataset in client.list_datasets()])
"""


def test_status_env_is_all_that_psql_and_googles_clients_need(platform):
    assignments = platform.invoke("status", "--env").stdout
    done = subprocess.run(
        ["/bin/sh", "-c", f'{assignments}exec "$0" -c "$1"', sys.executable, WITH_THE_ENVIRONMENT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["1", "1", "True", "True"], done.stderr


def test_down_asks_and_without_a_terminal_wants_yes(platform):
    done = platform.invoke("down", code=2)
    assert "--yes" in done.stderr
    began = time.monotonic()
    while time.monotonic() - began < 30:
        if platform.target.cloud.instance_state() == "RUNNING":
            break
        time.sleep(0.2)
    assert platform.target.cloud.instance_state() == "RUNNING"


def test_down_of_another_name_takes_nothing_away(platform):
    done = platform.invoke("down", "--yes", code=2, INVOKE_TAXISTACK_NAME="another")
    assert "holds the stack of name taxistack" in done.stderr
    assert platform.target.cloud.instance_state() == "RUNNING"


def test_raising_the_secret_version_rotates_the_password(platform):
    before = platform.target.kestra_password()
    platform.invoke("up", INVOKE_TAXISTACK_SECRET_VERSION="2")
    platform.target.forget()
    after = platform.target.kestra_password()
    assert after != before
    assert platform.target.wait_for_kestra()
    platform.invoke("up")
    platform.target.forget()
    assert platform.target.kestra_password() != after
    assert platform.target.wait_for_kestra()
