"""Ctrl-C during the suite: what the workers have started is taken away before they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = """
from tests.workers import Interrupts

def pytest_configure(config):
    config.pluginmanager.register(Interrupts(worker=hasattr(config, "workerinput")))
"""
SUITE = """
import pathlib, time
import pytest

HERE = pathlib.Path(__file__).parent

@pytest.fixture(scope="session")
def stack():
    (HERE / "up").touch()
    yield
    time.sleep(6)  # longer than xdist waits, from its word to its kill
    (HERE / "down").touch()

@pytest.mark.parametrize("number", range(2))
def test_waits(stack, number):
    time.sleep(60)
"""


@pytest.mark.parametrize("whole_group", [False, True], ids=["the controller alone", "a terminal"])
def test_the_fixtures_of_the_workers_end_in_peace(tmp_path, whole_group):
    (tmp_path / "test_stack.py").write_text(SUITE)
    (tmp_path / "conftest.py").write_text(PLUGIN)
    command = [
        sys.executable, "-m", "pytest", "-n1", "-c", os.devnull, f"--rootdir={tmp_path}",
        f"--confcutdir={tmp_path}", "-p", "no:cacheprovider", "-p", "no:bqemulator", str(tmp_path),
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        give_up = time.monotonic() + 60
        while not (tmp_path / "up").exists() and process.poll() is None:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert (tmp_path / "down").exists(), said
    assert process.returncode == pytest.ExitCode.INTERRUPTED, said
