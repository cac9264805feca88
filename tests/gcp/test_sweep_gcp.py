"""What lost runs have left in a project goes, and nothing that is somebody else's."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import psutil
import pytest
from google.cloud import bigquery, storage
from tests.gcp.cloud.vm import Vm
from tests.gcp.conftest import PROJECT, ROOT
from tests.gcp.operator import STATE_BUCKET, Operator, working

from localcloud.google.errors import ApiError
from taxistack.google import GoogleApis
from taxistack.inventory import account_of
from taxistack.removal import Clients

LABELS = {"stack": "ci-8", "environment": "ci", "run": "8"}
OF_RUN_7 = {"INVOKE_TAXISTACK_NAME": "ci-7", "INVOKE_TAXISTACK_RUN": "7"}
NET = f"projects/{PROJECT}/global/networks"


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with working(tmp_path_factory.mktemp("sweep")) as one:
        one.google.project.enable_all()
        clients_of(one).storage.create_bucket(STATE_BUCKET)
        yield one


def clients_of(operator: Operator) -> Clients:
    """The emulators' clients, with nobody's credentials: they let the owner in."""
    from google.auth.credentials import AnonymousCredentials

    state, nobody = operator.cloud.state(), AnonymousCredentials()
    return Clients(
        GoogleApis(),
        storage.Client(PROJECT, nobody, client_options={"api_endpoint": state.storage.url}),
        bigquery.Client(PROJECT, nobody, client_options={"api_endpoint": state.warehouse.url}),
    )


@contextlib.contextmanager
def up_that_stands_still_at_the_vm(operator: Operator) -> Iterator[subprocess.Popen[bytes]]:
    """An `up` whose provider has made all but the VM and waits; over when the block ends."""
    reached, go_on = threading.Event(), threading.Event()

    def hold(kind: str, action: str) -> None:
        if kind == "google_compute_instance" and action == "create":
            reached.set()
            go_on.wait(120)
            raise ApiError("googleapi: nobody waits for the answer any more")

    operator.young.also = hold
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "up", "--auto-approve"],
        cwd=ROOT,
        env={**os.environ, **operator.environment, **OF_RUN_7},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert reached.wait(180), "the VM's turn has come"
        yield process
    finally:
        operator.young.also = None
        go_on.set()
        process.kill()
        process.wait()


def kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """As a runner is lost: nobody is asked, nothing is written any more."""
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(family, timeout=20)


def test_the_down_of_a_lost_run_gets_through_its_lock_and_removes_what_no_state_knows(
    operator: Operator,
) -> None:
    with up_that_stands_still_at_the_vm(operator) as process:
        kill_with_children(process)
    # Terraform writes its state every 20 seconds: this runner was lost before the first time.
    states = clients_of(operator).storage.bucket(STATE_BUCKET)
    if (state := states.get_blob("ci-7/default.tfstate")) is not None:
        state.delete()
    other = {**OF_RUN_7, "INVOKE_TAXISTACK_RUN": "9"}
    refused = operator.run("down", "--yes", "--force-unlock", "auto", code=4, **other)
    assert "the stack is of run 7, and this is run 9" in refused.stderr
    by_hand = operator.run("down", "--yes", "--force-unlock", "auto", code=2)
    assert "setting run is `manual`" in by_hand.stderr

    listed = operator.json("sweep")
    (found,) = [one for one in listed["found"] if one["name"] == "ci-7"]
    assert (found["goes"], "run 7 changed it" in found["why"]) == (False, True)

    done = operator.run("down", "--yes", "--force-unlock", "auto", **OF_RUN_7)
    assert "released lock" in done.stderr
    assert "that Terraform did not know went too; 0 left" in done.stdout
    assert "removed network ci-7" in done.stderr
    assert list(operator.google.project.objects("google_compute_network")) == []
    assert operator.json("sweep")["found"] == []
    names = [one.name for one in clients_of(operator).storage.list_blobs(STATE_BUCKET)]
    assert names == [], "neither state nor lock is left of it"


def plant(operator: Operator) -> None:
    """Everything that a stack can leave, of run 8; nothing of it in a state."""
    project, clients = operator.google.project, clients_of(operator)
    stack = "ci-8"
    labelled = {"effective_labels": LABELS, "creation_timestamp": "2026-01-02T03:04:05Z"}
    network, account = f"{NET}/{stack}", account_of(PROJECT, stack)
    properties = [{"labels": LABELS}]
    add = {
        "google_compute_instance": {
            "name": f"{stack}-kestra", "zone": "us-central1-b", "deletion_protection": True,
            "attached_disk": [{"source": f"disks/{stack}-data"}],
            "network_interface": [{"subnetwork": f"subnetworks/{stack}"}], **labelled,
        },
        "google_compute_disk": {"name": f"{stack}-data", "zone": "us-central1-b", **labelled},
        "google_compute_disk_resource_policy_attachment": {
            "name": f"{stack}-daily", "disk": f"{stack}-data",
        },
        "google_compute_resource_policy": {
            "name": f"{stack}-daily",
            "snapshot_schedule_policy": [{"snapshot_properties": properties}],
        },
        "google_compute_firewall": {
            "name": f"{stack}-iap", "network": network, "target_service_accounts": [account],
        },
        "google_compute_router": {"name": stack, "network": network},
        "google_compute_router_nat": {"name": stack, "router": stack},
        "google_compute_subnetwork": {"name": stack, "network": network},
        "google_compute_network": {"name": stack, "auto_create_subnetworks": False},
        "google_monitoring_alert_policy": {
            "name": f"projects/{PROJECT}/alertPolicies/71", "display_name": f"{stack}-heartbeat",
            "user_labels": LABELS,
            "notification_channels": [f"projects/{PROJECT}/notificationChannels/81"],
        },
        "google_monitoring_notification_channel": {
            "name": f"projects/{PROJECT}/notificationChannels/81",
            "display_name": f"{stack}-alarms", "user_labels": LABELS,
        },
        "google_logging_metric": {
            "name": f"{stack}-heartbeat",
            "filter": f'jsonPayload.instance.name="{stack}-kestra" AND severity>=DEFAULT',
        },
        "google_secret_manager_secret": {"secret_id": f"{stack}-kestra-password", **labelled},
        "google_service_account": {
            "email": account, "display_name": f"Kestra server of {stack}",
        },
        "google_project_iam_member": {
            "role": "roles/bigquery.jobUser", "member": f"serviceAccount:{account}",
        },
    }  # fmt: skip
    for kind, one in add.items():
        project.made.setdefault(kind, []).append(one)
    operator.google.vms[f"{stack}-kestra"] = Vm()  # it has booted long ago
    project.snapshots.append({"name": f"{stack}-data-us-central1-b-1", "labels": LABELS})
    bucket = clients.storage.bucket(f"{PROJECT}-{stack}-lake")
    bucket.labels = LABELS
    clients.storage.create_bucket(bucket).blob("raw/one").upload_from_string("x")
    dataset = bigquery.Dataset(f"{PROJECT}.ci_8_trips")
    dataset.labels = LABELS
    clients.bigquery.create_dataset(dataset)
    clients.bigquery.create_table(f"{PROJECT}.ci_8_trips.loads")
    # Its runner was lost in an apply: the lock is there, and no state.
    lock = {"ID": "x", "Operation": "OperationTypeApply", "Who": "runner@lost",
            "Version": "1.15.0", "Created": "2026-01-02T03:04:05.000000000Z"}  # fmt: skip
    text = json.dumps(lock)
    clients.storage.bucket(STATE_BUCKET).blob("ci-8/default.tflock").upload_from_string(text)


def plant_what_is_not_ours(operator: Operator) -> dict[str, set[str]]:
    """The names, by kind: without labels, of a person, of a neighbour, of another team."""
    project, clients = operator.google.project, clients_of(operator)
    team = {"stack": "web", "run": "3"}
    person = {"stack": "dev", "environment": "dev", "run": "manual"}
    made = {
        "google_compute_instance": [("bare", {}), ("web-1", team), ("dev-kestra", person)],
        "google_compute_disk": [("ci-8-data-2", LABELS), ("web-data-old", team)],
        "google_compute_resource_policy": [("ci-8-weekly", {}), ("nightly", {})],
        "google_compute_firewall": [("ci-80-iap", {}), ("web-iap", {})],
        "google_compute_router": [("ci-80", {}), ("web", {})],
        "google_compute_subnetwork": [("ci-80", {})],
        "google_compute_network": [("default", {}), ("ci-80", {}), ("web", {})],
        "google_monitoring_alert_policy": [("web-heartbeat", team), ("nightly", {})],
        "google_monitoring_notification_channel": [("web-alarms", team)],
        "google_logging_metric": [("ci-80-heartbeat", {}), ("web-heartbeat", {})],
    }
    kept: dict[str, set[str]] = {}
    for kind, ones in made.items():
        kept[kind] = {name for name, _ in ones}
        for name, labels in ones:
            one = {"name": name, "effective_labels": labels, "network": f"{NET}/default"}
            one |= {"display_name": name, "user_labels": labels, "filter": "severity>=ERROR"}
            project.made.setdefault(kind, []).append(one)
    for secret, labels in (("web-password", team), ("dev-kestra-password", person), ("bare", {})):
        one = {"secret_id": secret, "effective_labels": labels}
        project.made.setdefault("google_secret_manager_secret", []).append(one)
    for name in ("ci-80-kestra", "web-kestra"):
        email = f"{name}@{PROJECT}.iam.gserviceaccount.com"
        account = {"email": email, "display_name": "Somebody's"}
        project.made.setdefault("google_service_account", []).append(account)
        grant = {"role": "roles/bigquery.jobUser", "member": f"serviceAccount:{email}"}
        project.made.setdefault("google_project_iam_member", []).append(grant)
    project.snapshots.append({"name": "web-data-1", "labels": team})
    for name, labels in ((f"{PROJECT}-web-lake", {}), (f"{PROJECT}-ci-8-notes", LABELS)):
        bucket = clients.storage.bucket(name)
        bucket.labels = labels
        clients.storage.create_bucket(bucket)
    for name, labels in (("ci_80_trips", {}), ("web_trips", {})):
        dataset = bigquery.Dataset(f"{PROJECT}.{name}")
        dataset.labels = labels
        clients.bigquery.create_dataset(dataset)
    # Another team keeps the state of a root of its own in the same bucket.
    foreign = {"version": 4, "resources": [{"instances": [{"attributes": {"id": "x"}}]}]}
    blob = clients.storage.bucket(STATE_BUCKET).blob("network/default.tfstate")
    blob.upload_from_string(json.dumps(foreign))
    return kept


def test_ten_kinds_of_leftovers_go_and_nothing_else(operator: Operator) -> None:
    kept = plant_what_is_not_ours(operator)
    project, clients = operator.google.project, clients_of(operator)
    before = dict(project.made)
    plant(operator)

    # Young: the lock was written a moment ago.
    assert [one["goes"] for one in operator.json("sweep")["found"]] == [False, False]
    shown = operator.run("sweep", "--older-than", "0m")
    assert "sweep: 1 would go, 1 other let be; --yes removes them" in shown.stdout
    assert "made by hand" in shown.stdout
    assert clients.storage.lookup_bucket(f"{PROJECT}-ci-8-lake") is not None

    operator.google.fail("DELETE .*/networks/ci-8$", status=403, message="not today", times=1)
    failed = operator.step("sweep.yml", "sweep", code=1, OLDER_THAN="0m")
    assert "1 thing stayed: ci-8: " in failed.stderr
    assert "network ci-8" in failed.stderr

    of_run_8 = {"INVOKE_TAXISTACK_NAME": "ci-8", "INVOKE_TAXISTACK_RUN": "8"}
    down = operator.run("down", "--yes", code=1, **of_run_8)
    # It has every label of the stack's and no name of infra's: told, and never removed.
    assert "1 thing of stack ci-8 is left" in down.stderr
    assert "disk ci-8-data-2: it bears no mark of stack ci-8" in down.stderr
    assert [one["name"] for one in operator.json("sweep")["found"]] == ["dev"]
    for kind, names in kept.items():
        assert {one["name"] for one in project.objects(kind)} == names, kind
    assert {one["secret_id"] for one in project.objects("google_secret_manager_secret")} == {
        "web-password", "dev-kestra-password", "bare",
    }  # fmt: skip
    for kind in ("google_service_account", "google_project_iam_member"):
        assert list(project.objects(kind)) == before[kind][:2], kind
    assert [one["name"] for one in project.snapshots] == ["web-data-1"]
    assert {one.name for one in clients.storage.list_buckets()} == {
        STATE_BUCKET, f"{PROJECT}-web-lake", f"{PROJECT}-ci-8-notes",
    }  # fmt: skip
    assert {one.dataset_id for one in clients.bigquery.list_datasets()} == {
        "ci_80_trips", "web_trips",
    }  # fmt: skip
    names = [one.name for one in clients.storage.list_blobs(STATE_BUCKET)]
    assert names == ["network/default.tfstate"]
