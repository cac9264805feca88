"""The program `taxistack`: the clone's commands from any folder; and what calls the same checks."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml

from taxistack import __version__
from taxistack.commands import checks
from taxistack.console import Console
from taxistack.settings import ROOT


def run(folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "taxistack", *arguments],
        cwd=folder,
        env={**os.environ, "INVOKE_TAXISTACK_STATE": str(folder / "state"),
             "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'scripts'}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip


def test_it_lists_the_commands_from_any_folder(tmp_path):
    done = run(tmp_path, "--list")
    assert done.returncode == 0, done.stderr
    assert "backfill" in done.stdout
    assert "deploy-flows" in done.stdout


def test_it_has_the_clones_settings_and_exit_codes(tmp_path):
    done = run(tmp_path, "status")
    assert "the local cloud" in done.stdout, "invoke.yaml was read: target local"
    assert run(tmp_path, "backfill", "--nope").returncode == 2


def test_it_tells_its_version(tmp_path):
    assert run(tmp_path, "--version").stdout.strip().lower() == f"taxistack {__version__}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert project["scripts"] == {"taxistack": "taxistack.program:main"}


def test_pre_commit_runs_what_invoke_test_runs(monkeypatch):
    ran = []
    monkeypatch.setattr(
        checks, "_run", lambda console, title, *command: ran.append((title, command))
    )
    checks.test(Console(), fast=True)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [(one["id"], shlex.split(one["entry"])[1:]) for one in hooks] == [
        (title, list(command[1:])) for title, command in ran if title != "pytest"
    ]


@pytest.mark.parametrize("name", ["fault.yml", "wish.yml", "config.yml"])
def test_the_templates_are_yaml(name):
    assert yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / name).read_text())
