"""What a change of the real root replaces beside the thing itself, and that it is whole then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from taxistack.terraform import Terraform

INFRA = Path(__file__).resolve().parents[3] / "infra"
PASSWORDS = {
    "alarm_webhook": "https://hooks.example.org/right-address-1",
    "kestra_password": "Right-Password-1",
    "postgres_password": "right-password-1",
}
VM = "module.kestra[0].google_compute_instance.kestra"
NAT = "module.kestra[0].google_compute_router_nat.this"
SUBNET = "module.kestra[0].google_compute_subnetwork.this"
DISK = "google_compute_disk.data"
ATTACHMENT = "google_compute_disk_resource_policy_attachment.daily"
REMEMBERED = "module.kestra[0].terraform_data.data_disk"

Root = Callable[..., Terraform]


@pytest.fixture
def root(standin, tmp_path: Path) -> Root:
    """`root(variable=…)`: Terraform on infra/, its own folder for what it keeps."""

    def make(**variables: Any) -> Terraform:
        given = {"project": standin.project, "environment": "dev", "deletion_protection": False}
        return Terraform(
            root=INFRA,
            data_dir=tmp_path / "terraform",
            environment=standin.environment,
            backend=standin.backend,
            variables={**given, **variables},
            secrets=PASSWORDS,
        )

    return make


def changed(terraform: Terraform, tmp_path: Path) -> dict[str, str]:
    """Apply, and prove that nothing is left to do; what was done."""
    terraform.init()
    plan = terraform.plan(tmp_path / "next.plan")
    terraform.apply(plan)
    assert not terraform.plan().any
    return {change.address: change.action for change in plan.changes}


def test_a_smaller_disk_takes_the_vm_and_the_schedule_with_it(root: Root, tmp_path: Path) -> None:
    changed(root(), tmp_path)
    assert changed(root(data_disk_size_gb=60), tmp_path) == {DISK: "update"}
    assert changed(root(data_disk_size_gb=30), tmp_path) == {
        DISK: "replace",
        ATTACHMENT: "replace",
        VM: "replace",
        REMEMBERED: "update",
    }


def test_another_subnet_takes_the_vm_and_the_nat_with_it(root: Root, tmp_path: Path) -> None:
    changed(root(), tmp_path)
    assert changed(root(subnet_range="10.60.0.0/20"), tmp_path) == {SUBNET: "update"}
    assert changed(root(subnet_range="10.70.0.0/24"), tmp_path) == {
        SUBNET: "replace",
        NAT: "replace",
        VM: "replace",
    }


def test_a_restore_makes_the_disk_anew_and_the_next_plan_names_no_snapshot(
    root: Root, tmp_path: Path
) -> None:
    changed(root(), tmp_path)
    assert not root(data_disk_snapshot="taxistack-1").plan().any, "a disk that is there stays"
    terraform = root(data_disk_snapshot="taxistack-1")
    plan = terraform.plan(tmp_path / "restore.plan", replace=[DISK])
    done = {change.address: change.action for change in plan.changes}
    assert done == {DISK: "replace", ATTACHMENT: "replace", VM: "replace", REMEMBERED: "update"}
    shown = terraform.show(plan)["resource_changes"]
    (disk,) = [one["change"]["after"] for one in shown if one["address"] == DISK]
    assert disk["snapshot"] == "taxistack-1"
    terraform.apply(plan)
    assert not root().plan().any
