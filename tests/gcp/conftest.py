"""A Google Cloud of the tests' own, and whole commands of target gcp against it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.gcp.cloud import Google, Project

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "some-project"
WITHOUT_LOCAL_CLOUD = Path(__file__).with_name("without_local_cloud")


@dataclass
class Machine:
    """An operator's machine: its environment, and the commands that are run on it."""

    folder: Path
    google: Google
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A home of its own: no login of the developer's is used."""
        self.environment = {
            **self.google.environment(self.folder),
            "HOME": str(self.folder),
            "CLOUDSDK_CONFIG": str(self.folder / "gcloud"),
            "NO_GCE_CHECK": "true",
            "INVOKE_TAXISTACK_TARGET": "gcp",
            "INVOKE_TAXISTACK_PROJECT": self.google.project.id,
            "INVOKE_TAXISTACK_STATE": str(self.folder / "state"),
            **self.environment,
        }

    def run(
        self, *arguments: str, code: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as a user does; asserts its exit code. Its `seconds` are kept.

        Nothing of the local cloud can be imported in it.
        """
        path = [str(WITHOUT_LOCAL_CLOUD), os.environ.get("PYTHONPATH", "")]
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, path)),
                **self.environment,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        self.seconds = time.monotonic() - began
        said = f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, said
        assert "Traceback" not in done.stderr, said
        return done


@pytest.fixture
def google() -> Iterator[Google]:
    """A new project of Google's, without emulators behind Storage and BigQuery."""
    with Google(Project(PROJECT)) as server:
        yield server


@pytest.fixture
def machine(google: Google, tmp_path: Path) -> Machine:
    """A machine with credentials for that project."""
    return Machine(tmp_path, google)


@pytest.fixture
def here(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The same environment in this process, for tests that call the kit's own code."""
    for name, value in machine.environment.items():
        if not name.startswith("INVOKE_"):
            monkeypatch.setenv(name, value)
    return machine
