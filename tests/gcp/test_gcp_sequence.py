"""Target gcp from a new project to proven tables and back to nothing, with the user's commands.

What the VM would find by its own network (the emulators for Google's addresses, `postgres` for its
database) is written into the KV pairs after `deploy-flows`: the engine's steps run here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from tests import workflows
from tests.gcp.conftest import PROJECT
from tests.gcp.operator import ALL_MONTHS, STATE_BUCKET, Operator, working


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with working(tmp_path_factory.mktemp("gcp")) as one:
        yield one


def test_from_a_new_project_to_proven_tables_and_back_to_nothing(operator: Operator) -> None:
    google, project = operator.google, operator.google.project
    assert not [name for name in os.environ if name.startswith("INVOKE_TAXISTACK_")]
    assert "INVOKE_TAXISTACK_KESTRA_URL" not in operator.environment
    # The commands of the workflow are run as they stand there, for one name of ours.
    ci = "google-cloud.yml"
    operator.environment |= {**workflows.values(ci), "INVOKE_TAXISTACK_RUN": "gh-1"}

    assert "missing: APIs, state bucket" in operator.run("doctor", code=3).stderr
    missing = operator.run("plan", code=3)
    assert f"gs://{STATE_BUCKET} does not exist" in missing.stderr

    ready = operator.run("setup", "--yes")
    assert f"project {PROJECT} is ready" in ready.stdout
    assert operator.run("setup", "--yes").stdout.count("was there") > 1
    rows = operator.json("doctor")
    assert [row["name"] for row in rows if not row["ok"]] == []

    assert operator.json("plan")["any"] is True

    # `setup` has waited until each API answered; another part of Google's may know it later.
    project.enabled["compute.googleapis.com"] = 2
    up = operator.step(ci, "up")
    assert "an API that was just enabled is not on everywhere yet" in up.stderr
    assert "a new service account is not known everywhere yet" in up.stderr
    assert "Kestra 2.0.0 answers" in up.stdout
    assert "the stack costs about 63 USD a month (list prices of " in up.stderr
    assert operator.young.refused, "the young project has refused something"
    assert operator.json("plan")["any"] is False
    rows = operator.json("doctor")
    assert [row["name"] for row in rows if not row["ok"]] == []

    source = operator.cloud.state().releases.url
    operator.step(ci, "deploy the flows", SOURCE=source)
    operator.as_on_the_vm()
    project.scanned = 3 * 2**40
    dry = operator.json("backfill", *ALL_MONTHS, "--dry-run")
    assert dry["bill"]["present"] == 3 * 2**40
    assert dry["bill"]["usd"] > 3 * 6.25
    assert any(one.startswith("DELETE FROM") for one in project.dry_runs)
    refused = operator.run("backfill", *ALL_MONTHS, "--max-cost", "18.50", code=1)
    assert "--max-cost 18.50: the loads into BigQuery would cost more" in refused.stderr
    project.scanned = 0
    operator.step(ci, "backfill")
    operator.step(ci, "verify")
    operator.run("backfill", *ALL_MONTHS, "--max-cost", "0.01")
    proven = operator.json("verify", *ALL_MONTHS)
    assert proven
    status = operator.json("status")
    assert {(one["destination"], one["months"]) for one in status["loaded"]} == {
        ("bigquery", 2),
        ("postgres", 2),
    }

    # Both ways to the VM die in the middle of an answer, and every token that was given out ends.
    for command in (("backfill", *ALL_MONTHS, "--only", "all"), ("verify", *ALL_MONTHS)):
        for port, after in ((8080, 1), (5432, 3)):
            operator.gcloud.cut(port, after)
        google.fail("^POST /bigquery/", expires=True)
        operator.run(*command)
        assert operator.gcloud.is_cut(8080), command
        assert operator.gcloud.is_cut(5432), command

    moved = operator.run("up", "--auto-approve", code=2, INVOKE_TAXISTACK_LOCATION="EU")
    assert "setting location" in moved.stderr
    assert "holds data: nothing was changed" in moved.stderr

    # A rotation: the VM has the old passwords until it boots again.
    operator.environment["INVOKE_TAXISTACK_SECRET_VERSION"] = "2"
    rotated = operator.run("up", "--auto-approve")
    assert "taxistack-kestra runs with older settings; starting it again" in rotated.stderr
    assert google.vm("taxistack-kestra").starts == 2
    assert len(operator.passwords) == 4
    operator.run("status")
    operator.run("verify", *ALL_MONTHS, "--debug")

    # An upgrade that does not come about, and the way back as it is printed.
    ran, loaded = operator.json("executions", "--limit", "100"), operator.json("status")["loaded"]
    failed = operator.run("upgrade", "--to", "2.0.9", "--auto-approve", code=1)
    assert "the server is Kestra 2.0.0 still, and not 2.0.9" in failed.stderr
    assert google.vm("taxistack-kestra").starts == 3, "it has booted with the newer version"
    back = re.search(
        r"the way back: INVOKE_TAXISTACK_KESTRA_VERSION=2.0.0 invoke (restore --name \S+)",
        failed.stderr,
    )
    assert back
    (kept,) = operator.json("backup", "--list")
    assert back[1].endswith(kept["name"])
    operator.run("run", "hello_world")  # lost: it is younger than the backup
    restored = operator.run(*back[1].split(), "--yes", INVOKE_TAXISTACK_KESTRA_VERSION="2.0.0")
    assert "compared equal" in restored.stdout
    assert google.vm("taxistack-kestra").starts == 1, "it is another machine"
    assert operator.json("executions", "--limit", "100") == ran
    assert operator.json("status")["loaded"] == loaded
    operator.as_on_the_vm()
    operator.run("verify", *ALL_MONTHS)

    labels = {"stack": "taxistack", "environment": "ci", "run": "gh-1"}
    daily = "taxistack-data-us-central1-b-20260102030405-x1"
    project.snapshots.append({"name": daily, "labels": labels})
    down = operator.step(ci, "down")
    assert f"removed snapshot {daily}" in down.stderr
    assert "0 left" in down.stdout
    assert project.snapshots == []
    assert "0 left" in operator.run("down", "--yes").stdout, "again, with nothing there"

    # A machine that dies in the middle of the first `up`: nothing of it stands in the state.
    operator.killed("google_compute_instance", "up", "--auto-approve")
    lock = re.search(r"--force-unlock (\d+)", operator.run("up", code=4).stderr)
    assert lock
    unlocked = operator.run("up", "--auto-approve", "--force-unlock", lock[1], code=1)
    assert "a run that was killed made it" in unlocked.stderr
    assert "`invoke down` shows what bears this stack's name" in unlocked.stderr
    assert "0 left" in operator.run("down", "--yes").stdout
    for kind in ("compute_instance", "compute_network", "storage_bucket", "service_account"):
        assert list(project.objects(f"google_{kind}")) == []


def test_no_password_was_said_or_kept_on_the_way(operator: Operator) -> None:
    assert len(operator.passwords) == 4, "the sequence has run"
    assert any("start-iap-tunnel" in one for one in operator.argv)
    assert any("terraform" in one for one in operator.argv)
    kept = operator.kept()
    assert "_setup/default.tfstate" in kept
    for password in operator.passwords:
        assert not any(password in text for text in operator.said)
        assert not any(password in one for one in operator.argv)
        assert [name for name, text in kept.items() if password in text] == []
