"""The boot script where servers, disks and former boots are out of order."""

from __future__ import annotations

import fcntl
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from tests.infra.boot_sandbox import METADATA, Vm, hash_of


def test_a_metadata_server_that_is_out_of_order_is_asked_again(vm: Vm) -> None:
    vm.cloud.failures = 2
    said = vm.boot()
    assert "ask_metadata failed (try 2 of 3)" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


def test_a_metadata_server_that_stays_out_of_order_ends_the_boot(vm: Vm) -> None:
    vm.cloud.failures = 3
    vm.boot(fails=True)
    assert vm.cloud.boot == ["failed: start"]


def test_a_metadata_server_that_hangs_is_asked_again(vm: Vm) -> None:
    vm.cloud.silences = 1
    said = vm.boot(BOOT_ASK_SECONDS="0.3")
    assert "ask_metadata failed (try 1 of 3)" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


@pytest.mark.parametrize("path", ["attributes/?recursive", "token", "secrets/projects"])
@pytest.mark.parametrize("fault", ["failures", "silences"])
def test_each_call_survives_one_that_fails(vm: Vm, path: str, fault: str) -> None:
    read, faults = vm.cloud.answer, [fault]

    def answer(asked: str, headers: dict[str, str]) -> str | None:
        if path in asked and faults:
            if faults.pop() == "failures":
                return None
            time.sleep(1.5)  # it would be a good answer
        return read(asked, headers)

    vm.cloud.answer = answer  # type: ignore[method-assign]
    said = vm.boot(BOOT_ASK_SECONDS="0.3")
    assert said.count("failed (try 1 of 3)") == 1
    assert faults == []
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


def test_the_end_is_said_again_where_it_did_not_get_through(vm: Vm) -> None:
    read = vm.cloud.answer

    def answer(path: str, headers: dict[str, str]) -> str | None:
        body = read(path, headers)
        if path.endswith("s-postgres/versions/latest:access"):
            vm.cloud.failures = 6  # the steps after this one, and the end twice
        return body

    vm.cloud.answer = answer  # type: ignore[method-assign]
    vm.boot()
    assert vm.cloud.boot[-2:] == ["fetch-secrets", f"healthy {hash_of(METADATA)}"]


def test_a_file_system_that_can_not_grow_is_no_failure(vm: Vm) -> None:
    said = vm.boot(RESIZE2FS="1")
    assert "could not be made larger" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


@pytest.mark.parametrize("code", ["1", "4", "8", "127"])
def test_only_a_disk_with_nothing_on_it_is_formatted(vm: Vm, code: str) -> None:
    said = vm.boot(fails=True, BLKID=code)
    assert f"blkid ended with {code}" in said
    assert vm.cloud.boot[-1] == "failed: mount-data-disk"
    assert not any(call.startswith(("mkfs", "mount ")) for call in vm.calls())


def test_a_disk_that_can_not_be_read_is_not_formatted(vm: Vm) -> None:
    """Of such a one blkid says, as of an empty one, that it found nothing."""
    device = vm.root / "dev/disk/by-id/google-data"
    device.unlink()
    device.mkdir()  # reading it fails
    vm.boot(fails=True)
    assert "blkid -p" in "\n".join(vm.calls())
    assert vm.cloud.boot[-1] == "failed: mount-data-disk"
    assert not any(call.startswith("mkfs") for call in vm.calls())


def test_docker_does_not_start_before_the_data_disk_is_mounted(vm: Vm) -> None:
    vm.boot()
    unit = vm.read("etc/systemd/system/docker.service.d/taxistack.conf")
    assert unit == f"[Unit]\nConditionPathIsMountPoint={vm.root}/var/lib/taxistack\n"
    assert vm.first("mount -o") < vm.first("systemctl daemon-reload")
    assert vm.first("systemctl start docker") < vm.first("docker compose --project-directory")


@pytest.fixture
def orphan(vm: Vm) -> Iterator[subprocess.Popen[bytes]]:
    """A program that holds the lock, as one that a killed boot left behind."""
    with (vm.root / "run/taxistack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno()])
    yield process
    process.kill()
    process.wait()


def test_a_lock_that_an_orphan_holds_is_waited_for_with_a_limit(
    vm: Vm, orphan: subprocess.Popen[bytes]
) -> None:
    said = vm.boot(fails=True, BOOT_LOCK_SECONDS="1")
    assert vm.cloud.boot == ["wait-for-lock", "failed: wait-for-lock"]
    assert f"after 1 s the lock is still held by: {orphan.pid} (sleep 60 )" in said


def test_a_lock_that_is_let_go_in_time_is_taken(vm: Vm, orphan: subprocess.Popen[bytes]) -> None:
    timer = threading.Timer(0.5, orphan.kill)
    timer.start()
    said = vm.boot()
    timer.join()
    assert vm.cloud.boot[0] == "wait-for-lock"
    assert f"the lock is held by: {orphan.pid}" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"
