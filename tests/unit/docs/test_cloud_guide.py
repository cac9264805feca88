"""The guide of Google Cloud is short, and its figures are those of infra/."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "google-cloud.md").read_text()


def test_from_zero_to_torn_down_takes_eight_steps() -> None:
    steps = [int(number) for number in re.findall(r"^\*\*(\d+)\. ", GUIDE, re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) <= 8


def test_the_cost_is_of_the_machine_and_the_disks_that_infra_makes() -> None:
    variables = (ROOT / "infra" / "variables.tf").read_text()
    default = {
        name: re.search(rf'variable "{name}" \{{.*?default\s+= "?([\w-]+)"?\n', variables, re.S)[1]
        for name in ("boot_disk_size_gb", "data_disk_size_gb", "machine_type", "region")
    }
    size = int(default["boot_disk_size_gb"]) + int(default["data_disk_size_gb"])
    assert f"{size} GB of balanced disks" in GUIDE
    assert f"the VM ({default['machine_type']})" in GUIDE
    assert f"running in {default['region']}" in GUIDE


def test_gcloud_is_told_the_project_and_the_zone_where_it_needs_them() -> None:
    text = GUIDE + (ROOT / "infra" / "README.md").read_text()
    for command in re.findall(r"^gcloud compute .*$", text.replace("\\\n", ""), re.MULTILINE):
        assert "--project " in command, command
        assert "--zone " in command, command


def test_the_data_is_where_the_vm_is_by_default() -> None:
    settings = (ROOT / "invoke.yaml").read_text()
    assert re.search(r'^  location: ""', settings, re.MULTILINE)
