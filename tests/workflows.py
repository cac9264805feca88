"""The workflows of .github/, as tests read and run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github" / "workflows"
PREPARING = ("bootstrap",)  # has made the environment that the tests run in
WHOLE_SUITE = ("test",)  # is what runs the tests


@dataclass(frozen=True)
class Step:
    """One step with a command."""

    workflow: str
    job: str
    name: str
    run: str


def workflow(name: str) -> dict[str, Any]:
    """One file's content; `on` is YAML's word for true."""
    content = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in content.items()}


def names() -> list[str]:
    """Every workflow's file name."""
    return sorted(path.name for path in FOLDER.glob("*.yml"))


def steps(name: str) -> Iterator[Step]:
    """The steps of a workflow that run a command, in order."""
    for job, content in workflow(name)["jobs"].items():
        for step in content["steps"]:
            if "run" in step:
                yield Step(name, job, step["name"], step["run"])


def command(name: str, step: str) -> str:
    """The text of one step's command."""
    (found,) = [one.run for one in steps(name) if one.name == step]
    return found


def values(name: str) -> dict[str, str]:
    """Its own variables that are plain texts: those of an expression come from GitHub."""
    found = workflow(name).get("env", {})
    return {key: value for key, value in found.items() if "${{" not in value}


# As the runner starts it. A machine may have `sh` alone: what the steps say is the same in both.
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
SH = ("sh", "-ec")


def run(text: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A step's command as the runner runs it, our programs on PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    return subprocess.run(
        [*(BASH if shutil.which("bash", path=path) else SH), text],
        cwd=ROOT,
        env={**environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
