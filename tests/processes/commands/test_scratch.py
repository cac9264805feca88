"""Folders of one command: what a killed one left goes with the next, a living one's stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from taxistack.scratch import scratch

HOLDS_ONE = """
import sys, time
from pathlib import Path
from taxistack.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "next.tfplan").write_text("a plan")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    command = [sys.executable, "-c", HOLDS_ONE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_it_is_private_and_goes_with_its_command(tmp_path):
    with scratch(tmp_path / "new") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent == tmp_path / "new"
    assert list((tmp_path / "new").iterdir()) == []


def test_what_a_killed_command_left_goes_with_the_next(tmp_path, holder):
    left = Path(holder.stdout.readline().strip())
    with scratch(tmp_path):
        assert (left / "next.tfplan").exists(), "its command lives"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert left.is_dir()
    with scratch(tmp_path):
        assert not left.exists()


def test_an_error_inside_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="no room"), scratch(tmp_path):
        raise OSError("no room")
    assert list(tmp_path.iterdir()) == []
