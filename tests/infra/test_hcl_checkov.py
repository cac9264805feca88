"""checkov finds nothing in infra/ but what .checkov.yaml skips for a written reason."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.layout import default_cache
from prepare_environment import environment_for_uv, pip_settings

INFRA = Path(__file__).resolve().parents[2] / "infra"
LOCK = Path(__file__).with_name("checkov.txt")
CONFIGURATION = INFRA / ".checkov.yaml"

# Of the checks that fit this stack, those that it passes: buckets, BigQuery, the VM, the firewall,
# service accounts, workload identity. A check that found nothing to look at would be missing.
PASSED = {
    "CKV_GCP_2", "CKV_GCP_3", "CKV_GCP_15", "CKV_GCP_26", "CKV_GCP_28", "CKV_GCP_29", "CKV_GCP_30",
    "CKV_GCP_31", "CKV_GCP_32", "CKV_GCP_34", "CKV_GCP_35", "CKV_GCP_36",
    "CKV_GCP_39", "CKV_GCP_40", "CKV_GCP_41", "CKV_GCP_42", "CKV_GCP_46", "CKV_GCP_49",
    "CKV_GCP_74", "CKV_GCP_106", "CKV_GCP_114", "CKV_GCP_118",
}  # fmt: skip

Scan = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def checkov() -> list[str]:
    """The command of a checkov with the versions of its lock, installed once into the cache."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = default_cache() / f"checkov-{digest}"
    complete, python = folder / "complete", folder / "bin" / "python"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = [sys.executable, "-m", "uv", "--quiet"]
        install = ["pip", "install", "--python", str(python), "--require-hashes", "-r", str(LOCK)]
        # Packages come from where pip is set to take them from, as for the project itself.
        settings = environment_for_uv(pip_settings()) or {}
        for arguments in (["venv", "--python", sys.executable, str(folder)], install):
            environment = {**os.environ, **settings}
            subprocess.run([*uv, *arguments], env=environment, check=True, timeout=300)
        complete.touch()
    return [str(python), "-m", "checkov.main"]


@pytest.fixture(scope="module")
def scan(checkov: list[str], tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """A function that scans a folder and gives check id -> places, for failed and passed checks."""
    home = tmp_path_factory.mktemp("home")  # checkov looks for configuration here, too

    def run(folder: Path, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [*checkov, "--directory", str(folder), "--output", "json", *arguments],
            cwd=home,
            env={**os.environ, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        reports = json.loads(done.stdout)
        found: dict[str, Any] = {"failed": {}, "passed": {}, "broken": [], "code": done.returncode}
        for report in reports if isinstance(reports, list) else [reports]:
            found["broken"] += report["results"].get("parsing_errors", [])
            for verdict in ("failed", "passed"):
                for check in report["results"].get(f"{verdict}_checks", []):
                    where = f"{check['file_path']} {check['resource']}"
                    found[verdict].setdefault(check["check_id"], []).append(where)
        return found

    return run


@pytest.fixture(scope="module")
def unskipped(scan: Scan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that checkov says, skipped or not: it finds no configuration or comment here."""
    folder = tmp_path_factory.mktemp("unskipped") / "infra"
    ignored = shutil.ignore_patterns(CONFIGURATION.name, ".terraform*")
    shutil.copytree(INFRA, folder, ignore=ignored)
    for path in folder.rglob("*.tf"):
        path.write_text(path.read_text().replace("checkov:skip=", "skip "))
    return scan(folder, "--framework", "terraform", "dockerfile", "--skip-download")


def skipped_in_place() -> list[tuple[str, str, str]]:
    """Where one resource skips a check: the resource, the check, and its reason."""
    block = re.compile(r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}', re.M | re.S)
    return [
        (f"{kind}.{name}", check, reason)
        for path in INFRA.rglob("*.tf")
        for kind, name, body in block.findall(path.read_text())
        for check, reason in re.findall(r"checkov:skip=(\w+):?(.*)", body)
    ]


def skipped() -> list[str]:
    return yaml.safe_load(CONFIGURATION.read_text())["skip-check"]


def test_no_check_fails_but_the_skipped_ones(scan: Scan) -> None:
    found = scan(INFRA, "--config-file", str(CONFIGURATION))
    assert found["broken"] == []
    assert found["failed"] == {}
    assert found["code"] == 0


def test_the_checks_that_fit_this_stack_looked_at_it(unskipped: dict[str, Any]) -> None:
    assert PASSED - set(unskipped["passed"]) == set()


def test_every_skip_is_still_needed(unskipped: dict[str, Any]) -> None:
    assert set(skipped()) - set(unskipped["failed"]) == set()
    for resource, check, reason in skipped_in_place():
        where = [one for one in unskipped["failed"].get(check, []) if resource in one]
        assert where, f"{resource} passes {check}"
        assert len(reason) > 60


def test_every_skip_has_its_reason_above_it() -> None:
    text = CONFIGURATION.read_text().split("skip-check:\n")[1]
    reasons = re.findall(r"((?:^  # .*\n)+)((?:^  - \w+\n)+)", text, re.M)
    explained = re.findall(r"- (\w+)", "".join(ids for _, ids in reasons))
    assert sorted(explained) == sorted(skipped())
    assert all(len(reason) > 60 for reason, _ in reasons)
