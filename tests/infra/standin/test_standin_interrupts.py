"""Two operators at once, and operators that are interrupted: nothing is lost, nothing is stuck."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from localcloud.google import import_id
from taxistack.errors import UsageError
from taxistack.terraform import StateLockedError, Terraform, TerraformError

STACK = """
variable "password" {
  type      = string
  ephemeral = true
  sensitive = true
}
resource "google_compute_network" "first" {
  name = "first"
}
resource "google_compute_network" "second" {
  name       = "second"
  depends_on = [google_compute_network.first]
}
resource "google_secret_manager_secret" "password" {
  secret_id = "password"
  replication {
    auto {}
  }
  depends_on = [google_compute_network.second]
}
resource "google_secret_manager_secret_version" "password" {
  secret                 = google_secret_manager_secret.password.id
  secret_data_wo         = var.password
  secret_data_wo_version = 1
}
"""
SECRET = "Zw9-nobody-may-see-this"
ALL = 4


class Operator:
    """A process that applies the stack; its objects wait at the gate."""

    def __init__(self, standin, terraform: Terraform, program: tuple[str, ...], plan: Path) -> None:
        settings = {
            "root": str(terraform.root),
            "data_dir": str(plan.parent / "operator"),
            "executable": program,
            "plan": str(plan),
            "environment": standin.environment,
            "backend": standin.backend,
            "variables": {"project": standin.project},
            "secrets": {"password": SECRET},
        }
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("apply_stack.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.process.stdin.write(json.dumps(settings))
        self.process.stdin.close()

    def family(self) -> list[psutil.Process]:
        """It and all that it started."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def end(self) -> str:
        """Wait for its end; what it said."""
        said = self.process.stdout.read()
        self.process.wait(timeout=60)
        self.process.stdout.close()
        return said


@pytest.fixture
def terraform(stack: Callable[..., Terraform], terraform_program: tuple[str, ...]) -> Terraform:
    """The stack as a second operator sees it."""
    made = stack(STACK, secrets={"password": SECRET}, executable=terraform_program)
    made.init()
    return made


@pytest.fixture
def operator(standin, terraform, terraform_program, tmp_path) -> Iterator[Operator]:
    """The first operator, whose apply has begun and waits at its first object."""
    standin.gate.close()
    running = Operator(standin, terraform, terraform_program, tmp_path / "up.plan")
    try:
        assert standin.gate.reached.wait(60), running.process.poll()
        yield running
    finally:
        standin.gate.open()
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
            running.end()


def locks(standin) -> list[str]:
    """The lock files in the state bucket."""
    listing = f"{standin.bucket_url('tfstate')}/o"
    items = httpx.get(listing, params={"prefix": standin.project}).json().get("items") or []
    return [item["name"] for item in items if item["name"].endswith(".tflock")]


def finish(terraform: Terraform, tmp_path: Path) -> int:
    """Apply what is left; how many objects that was. The plan is empty then."""
    result = terraform.apply(terraform.plan(tmp_path / "finish.plan"))
    assert not terraform.plan().any
    assert len(terraform.resources()) == ALL
    return len(result.resources)


def test_the_second_of_two_operators_is_told_who_is_the_first(
    standin, operator: Operator, terraform: Terraform
) -> None:
    with pytest.raises(StateLockedError) as caught:
        terraform.plan()  # told while the first one still has the lock: nothing is waited for
    assert f"{getpass.getuser()}@{os.uname().nodename}" in caught.value.message
    assert caught.value.lock.id in (caught.value.hint or "")
    standin.gate.open()
    assert operator.end() == "planned\napplied\n"
    assert not terraform.plan().any
    assert locks(standin) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_apply_keeps_what_it_made_and_releases_its_lock(
    number: signal.Signals, standin, operator: Operator, terraform: Terraform, tmp_path: Path
) -> None:
    operator.process.send_signal(number)
    time.sleep(0.5)
    assert operator.process.poll() is None, "what is under way is waited for"
    standin.gate.open()
    said = operator.end()
    assert said.startswith("planned\nKeyboardInterrupt")
    assert "saved its state" in said
    assert terraform.resources() == ["google_compute_network.first"]
    assert locks(standin) == []
    assert finish(terraform, tmp_path) == ALL - 1


def test_a_second_interrupt_stops_at_once_and_still_releases_the_lock(
    standin, operator: Operator, terraform: Terraform, tmp_path: Path
) -> None:
    operator.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    operator.process.send_signal(signal.SIGINT)
    assert "stopped at once" in operator.end()
    assert locks(standin) == []
    standin.gate.open()
    # What was under way is in the cloud and not in the state: it is adopted.
    plan = terraform.plan(tmp_path / "again.plan")
    with pytest.raises(TerraformError) as caught:
        terraform.apply(plan)
    assert terraform.adopt(plan, caught.value, import_id) == ["google_compute_network.first"]
    finish(terraform, tmp_path)


def test_a_killed_apply_leaves_a_lock_that_is_explained(
    standin, operator: Operator, terraform: Terraform, tmp_path: Path
) -> None:
    for process in reversed(operator.family()):
        process.kill()
    operator.end()
    with pytest.raises(StateLockedError, match="holds the lock") as caught:
        terraform.plan()
    lock = caught.value.lock
    assert f"--force-unlock {lock.id}" in (caught.value.hint or "")
    with pytest.raises(UsageError, match=lock.id):
        terraform.force_unlock("1")
    assert locks(standin)
    terraform.force_unlock(lock.id)
    assert locks(standin) == []
    with pytest.raises(UsageError, match="not locked"):
        terraform.force_unlock(lock.id)
    standin.gate.open()
    plan = terraform.plan(tmp_path / "again.plan")
    with pytest.raises(TerraformError, match="already exists") as exists:
        terraform.apply(plan)
    terraform.adopt(plan, exists.value, import_id)
    finish(terraform, tmp_path)


def test_the_operator_is_killed_alone_and_terraform_is_not(
    standin, operator: Operator, terraform: Terraform
) -> None:
    children = operator.family()[1:]
    operator.process.kill()
    operator.end()
    standin.gate.open()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    assert locks(standin) == []
    assert len(terraform.resources()) == ALL


def contents(path: Path) -> Iterator[bytes]:
    """What stands in a file; a saved plan is a packed archive."""
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist() if name[-1] != "/")


def test_a_secret_is_found_in_no_file_and_no_command_line(
    standin, operator: Operator, terraform: Terraform, tmp_path: Path
) -> None:
    lines = [" ".join(process.cmdline()) for process in operator.family()]
    assert any("terraform" in line for line in lines)
    standin.gate.open()
    said = operator.end()
    assert standin.cloud.secrets.get("password") == SECRET, "it did arrive"
    key = standin.emulators.key
    for secret in (SECRET, key):
        assert secret not in "\n".join([said, *lines])
    state = httpx.get(
        f"{standin.bucket_url('tfstate')}/o/{standin.project}%2Fdefault.tfstate?alt=media"
    )
    assert "google_secret_manager_secret_version" in state.text
    assert SECRET not in state.text
    assert key not in state.text
    kept = standin.folder / "private"
    written = [
        content
        for path in tmp_path.rglob("*")
        if path.is_file() and kept not in path.parents
        for content in contents(path)
    ]
    assert any(zipfile.is_zipfile(path) for path in tmp_path.rglob("*.plan")), "the plan is there"
    assert not [one for one in written if SECRET.encode() in one or key.encode() in one]
    for path in kept.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0 or path.is_dir()


def test_a_secret_is_in_no_exception(terraform: Terraform, root: Path) -> None:
    text = (root / "main.tf").read_text()
    (root / "main.tf").write_text(text.replace('name = "first"', 'name = "Bad ${var.password}"'))
    with pytest.raises(TerraformError) as caught:
        terraform.plan()
    assert SECRET not in repr(caught.value) + str(caught.value.diagnostics)
