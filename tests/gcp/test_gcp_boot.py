"""What `up` makes of the VM's boot report: waits, starts it again, or says what failed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.gcp.cloud import Google, inputs_hash
from tests.gcp.cloud.vm import INPUTS
from tests.gcp.conftest import PROJECT, Machine

from taxistack.errors import FailedError
from taxistack.google import GoogleApis, vm
from taxistack.google.errors import ForbiddenError

ROOT = Path(__file__).resolve().parents[2]
NAME, ZONE = "taxistack-kestra", "us-central1-b"


@pytest.fixture
def metadata() -> dict[str, str]:
    """What Terraform has set; a test may change it."""
    return {**{name: f"{name} as first set" for name in INPUTS}, "enable-oslogin": "TRUE"}


@pytest.fixture
def machine_of_google(
    here: Machine, google: Google, metadata: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> vm.Vm:
    """A VM that boots for the first time."""
    monkeypatch.setattr(vm, "PAUSE", 0)
    google.project.enable_all()
    one = {"name": NAME, "zone": ZONE, "metadata": metadata, "effective_labels": {}}
    google.project.made["google_compute_instance"] = [one]
    return vm.Vm(GoogleApis(sleep=lambda seconds: None), PROJECT, ZONE, NAME)


def _wait(machine: vm.Vm, seconds: float = 60) -> list[str]:
    said: list[str] = []
    machine.wait_until_healthy(seconds, said.append)
    return said


def test_a_first_boot_is_waited_for(machine_of_google, google):
    assert _wait(machine_of_google) == []
    assert google.vm(NAME).starts == 1


def test_the_hash_is_of_what_boot_sh_reads_and_of_nothing_else(metadata):
    other = {**metadata, "enable-oslogin": "FALSE", "ssh-keys": "someone's"}
    assert vm.inputs_hash(metadata) == vm.inputs_hash(other) == inputs_hash(metadata)
    assert vm.inputs_hash({**metadata, "kestra-user": "another"}) != vm.inputs_hash(metadata)


def test_every_metadata_that_infra_sets_is_an_input_or_the_guest_agents():
    text = (ROOT / "infra/modules/kestra/instance.tf").read_text()
    block = text[text.index("  metadata = {") :]
    names = set(re.findall(r"^    ([\w-]+) +=", block[: block.index("\n  }")], re.M))
    agents = {"block-project-ssh-keys", "enable-guest-attributes", "enable-oslogin",
              "serial-port-enable", "serial-port-logging-enable"}  # fmt: skip
    assert names == set(vm.BOOT_INPUTS) | agents


def test_a_changed_input_starts_the_boot_again_and_waits_for_it(
    machine_of_google, google, metadata
):
    _wait(machine_of_google)
    metadata["kestra-version"] = "2.0.1"
    said = _wait(machine_of_google)
    assert "older settings; starting it again" in said[0]
    assert google.vm(NAME).starts == 2
    assert machine_of_google.report() == f"healthy {inputs_hash(metadata)}"


def test_a_report_of_an_older_script_is_no_answer(machine_of_google, google):
    google.vm(NAME).report = ["healthy"]
    assert _wait(machine_of_google)
    assert google.vm(NAME).starts == 2


def test_a_boot_that_failed_before_is_started_again_once(machine_of_google, google):
    google.vm(NAME).report = ["failed: fetch-secrets"]
    said = _wait(machine_of_google)
    assert said == [f"the last boot of {NAME}: failed: fetch-secrets; starting it again"]


def test_a_boot_that_fails_now_names_its_step_and_where_its_log_is(
    machine_of_google, google, metadata
):
    google.vm(NAME).failing = "start-server"
    google.vm(NAME).report = []
    google.vm(NAME).boot(metadata)
    with pytest.raises(FailedError, match=f"boot of {NAME}: failed: start-server") as raised:
        _wait(machine_of_google)
    assert "journalctl" in (raised.value.hint or "")
    assert google.vm(NAME).starts == 2, "this boot was seen to fail: it is not repeated"


def test_an_older_image_is_not_taken_for_the_asked_one(machine_of_google, google, metadata):
    google.vm(NAME).report = ["install-docker", "degraded abc: image build failed"]
    with pytest.raises(FailedError, match="image build failed, an older server runs"):
        _wait(machine_of_google)


def test_a_boot_that_does_not_end_is_not_waited_for_without_end(
    machine_of_google, google, metadata
):
    google.vm(NAME).slow = True
    google.vm(NAME).report = []
    google.vm(NAME).boot(metadata)
    with pytest.raises(FailedError, match="is still at start-server after 1 s"):
        _wait(machine_of_google, seconds=1)


@pytest.mark.parametrize(
    "fault", [{"status": 429}, {"status": 500}, {"status": 503}, {"reset": True}]
)
def test_an_answer_that_fails_for_a_moment_ends_nothing(machine_of_google, google, fault):
    google.fail("getGuestAttributes", times=3, **fault)
    assert _wait(machine_of_google) == []


def test_a_missing_role_is_told_at_once(machine_of_google, google):
    google.project.denied.add("compute.instances.getGuestAttributes")
    with pytest.raises(ForbiddenError, match=r"compute\.instances\.getGuestAttributes") as raised:
        _wait(machine_of_google)
    assert "roles/compute.instanceAdmin.v1" in (raised.value.hint or "")
