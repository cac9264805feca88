"""`up` that is interrupted: state is saved, no lock stays, and the next `up` finishes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.families import told

ROOT = Path(__file__).resolve().parents[2]
INVOKE = [sys.executable, "-m", "invoke"]
STARTED = "created google_storage_bucket"


@pytest.fixture
def stack(tmp_path):
    """Runs commands on a platform of its own, which is taken down at the end."""
    environment = {**os.environ, "INVOKE_TAXISTACK_STATE": str(tmp_path / "state")}

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*INVOKE, *arguments], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    yield start
    done = start("down", "--yes")
    output, _ = done.communicate(timeout=120)
    assert done.returncode == 0, output


def _run(start: Callable[..., subprocess.Popen[str]], *arguments: str) -> tuple[int, str]:
    process = start(*arguments)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def _until_it_applies(process: subprocess.Popen[str], mark: str = STARTED) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if mark in line:
            return
    pytest.fail(f"up ended before it said {mark!r}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_saves_its_state_and_the_next_one_finishes(stack, number):
    process = stack("up")
    _until_it_applies(process, "created google_project_service")
    process.send_signal(number)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "saved its state and released its lock" in said
    code, output = _run(stack, "up")
    assert code == 0, output
    assert re.search(r"^up: \d+ created", output, re.MULTILINE), (
        "the first one had not done everything"
    )
    assert _run(stack, "plan", "--detailed-exitcode")[0] == 0


@pytest.fixture(params=[STARTED, "secret_version"], ids=["early", "instance"])
def lock(stack, request) -> str:
    """The lock that an `up` left which was killed, early or while it made the instance."""
    process = stack("up")
    _until_it_applies(process, request.param)
    family = psutil.Process(process.pid).children(recursive=True)
    terraform = told(family, "apply")
    assert terraform
    for one in terraform:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.kill()
    process.communicate(timeout=30)
    code, output = _run(stack, "up")
    assert code == 4, output
    found = re.search(r"--force-unlock[= ]([0-9a-f-]{8,}|\d+)", output)
    assert found, output
    return found.group(1)


def test_a_killed_up_leaves_a_lock_that_the_next_one_explains(stack, lock):
    code, output = _run(stack, "up", "--force-unlock", lock)
    assert code == 0, output
    assert _run(stack, "plan", "--detailed-exitcode")[0] == 0


def test_a_killed_up_can_be_taken_down(stack, lock):
    code, output = _run(stack, "down", "--force-unlock", lock)
    assert code == 2, output
    assert "taxistack_trips" in output
    assert "say --yes" in output
    code, output = _run(stack, "down", "--yes")
    assert code == 0, output
    assert "; 0 left" in output
    assert "nothing is up" in _run(stack, "down", "--yes")[1]
