"""Which metadata the VM says that it runs with, and when its image is built."""

from __future__ import annotations

import re

import pytest
from tests.gcp.cloud.vm import INPUTS
from tests.infra.boot_sandbox import IMAGE, KESTRA, METADATA, Vm, hash_of

from taxistack.google.vm import BOOT_INPUTS, inputs_hash


def test_the_metadata_that_counts_is_what_terraform_sets() -> None:
    terraform = (KESTRA.parent / "modules/kestra/instance.tf").read_text()
    block = re.search(r"^  metadata = \{\n(.*?)^  \}", terraform, re.M | re.S)
    assert block
    ours = set(re.findall(r"^    ([\w-]+) +=", block[1], re.M)) - {
        "block-project-ssh-keys",
        "enable-guest-attributes",
        "enable-oslogin",
        "serial-port-enable",
        "serial-port-logging-enable",
    }
    listed = re.search(r"^names=\(\n(.*?)^\)", (KESTRA / "boot.sh").read_text(), re.M | re.S)
    assert listed
    assert listed[1].split() == sorted(ours) == sorted(METADATA)
    # What `up` compares with, and what the tests' Compute Engine reports.
    assert list(BOOT_INPUTS) == listed[1].split() == list(INPUTS)


def test_up_waits_for_the_hash_that_the_boot_reports(vm: Vm) -> None:
    # Values that have to be told apart byte by byte, beside what every VM has.
    vm.cloud.metadata |= {
        "kestra-user": "ada+ü@example.com",
        "kestra-requirements": "a==1\r\n\n b==2 \n",
        "enable-oslogin": "TRUE",
        "ssh-keys": "somebody:key",
    }
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {inputs_hash(vm.cloud.metadata)}"
    vm.cloud.metadata["secret-version"] = "2"
    assert vm.cloud.boot[-1] != f"healthy {inputs_hash(vm.cloud.metadata)}"
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {inputs_hash(vm.cloud.metadata)}"


@pytest.mark.parametrize("name", sorted(set(METADATA) - {"startup-script", "kestra-secrets"}))
def test_other_metadata_is_told_and_makes_another_image_where_it_is_in_it(
    vm: Vm, name: str
) -> None:
    vm.cloud.metadata[name] += "1"
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}"
    assert vm.cloud.boot[-1] != f"healthy {hash_of(METADATA)}"
    assert vm.images() == [hash_of(vm.cloud.metadata, *IMAGE)]
    assert (vm.images() != [hash_of(METADATA, *IMAGE)]) == (name in IMAGE)


def test_another_script_in_the_metadata_has_not_run(vm: Vm) -> None:
    vm.cloud.metadata["startup-script"] += "# newer\n"
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


def test_blanks_that_the_guest_agent_trims_from_the_script_do_not_matter(vm: Vm) -> None:
    vm.script = vm.sandbox / "startup-script"
    vm.script.write_text(METADATA["startup-script"].strip())
    vm.script.chmod(0o755)
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


def test_metadata_that_changes_during_a_boot_is_not_claimed(vm: Vm) -> None:
    read = vm.cloud.answer

    def answer(path: str, headers: dict[str, str]) -> str | None:
        body = read(path, headers)
        if "attributes" in path:
            vm.cloud.metadata["kestra-user"] = "another@kestra.io"
        return body

    vm.cloud.answer = answer  # type: ignore[method-assign]
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}" != hash_of(vm.cloud.metadata)
    assert vm.settings()["KESTRA_USER"] == METADATA["kestra-user"]


# -- the image -----------------------------------------------------------------------------------


def test_a_second_boot_builds_nothing(vm: Vm) -> None:
    vm.boot()
    assert sum(" build --quiet kestra" in call for call in vm.calls()) == 1
    vm.boot()
    assert not any(" build " in call for call in vm.calls())
    assert all("--no-build" in call for call in vm.calls() if " up " in call)


def test_a_reboot_needs_no_registry(vm: Vm) -> None:
    vm.boot()
    vm.boot(fail_at="build")
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


def test_changed_inputs_build_another_image_and_the_old_one_goes(vm: Vm) -> None:
    vm.boot()
    old = vm.images()
    assert old == [hash_of(METADATA, *IMAGE)]
    vm.cloud.metadata["kestra-dockerfile"] += "# other"
    vm.boot()
    assert any(" build --quiet kestra" in call for call in vm.calls())
    assert vm.images() == [hash_of(vm.cloud.metadata, *IMAGE)] != old
    assert "docker builder prune --all --force" in vm.calls()


def test_a_changed_setting_builds_nothing(vm: Vm) -> None:
    vm.boot()
    vm.cloud.metadata["kestra-user"] = "another@kestra.io"
    vm.boot()
    assert not any(" build " in call for call in vm.calls())


def test_the_image_is_there_before_what_runs_is_touched(vm: Vm) -> None:
    vm.boot()
    calls = vm.calls()
    built = next(at for at, call in enumerate(calls) if " build --quiet" in call)
    assert built < next(at for at, call in enumerate(calls) if " up " in call)


def test_where_an_image_can_not_be_built_the_older_one_runs_and_is_named(vm: Vm) -> None:
    vm.boot()
    older = vm.images()
    vm.cloud.metadata["kestra-version"] = "2.0.9"
    said = vm.boot(fail_at="build")
    assert vm.cloud.boot[-1] == f"degraded {hash_of(METADATA)}: image build failed"
    assert "can't be built" in said
    assert [(vm.sandbox / "runs").read_text().strip()] == older == vm.images()
    assert vm.settings()["KESTRA_IMAGE"] == older[0]
    assert not any("prune" in call for call in vm.calls())
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}"
    assert vm.images() == [hash_of(vm.cloud.metadata, *IMAGE)]


def test_an_image_of_before_there_were_labels_will_do_too(vm: Vm) -> None:
    (vm.sandbox / "images/2.0.0").touch()
    vm.boot(fail_at="build")
    assert vm.cloud.boot[-1] == "degraded unknown: image build failed"


def test_images_that_can_not_be_removed_are_no_failure(vm: Vm) -> None:
    said = vm.boot(fail_at="builder")
    assert "old images could not be removed" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"
