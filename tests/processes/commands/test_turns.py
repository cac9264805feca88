"""Backfills are planned and started one at a time; who waits says for whom."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from taxistack.backfill.turns import turn
from taxistack.errors import LockedError

HOLDS_IT = """
import sys, time
from pathlib import Path
from taxistack.backfill.turns import turn
with turn(Path(sys.argv[1]), print):
    print("mine", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    command = [sys.executable, "-c", HOLDS_IT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "mine\n"
        yield process
        process.kill()


def test_who_waits_says_for_whom_and_a_killed_holder_holds_nothing(tmp_path, holder):
    said: list[str] = []

    def tell(text: str) -> None:
        said.append(text)
        threading.Thread(target=holder.kill).start()

    with turn(tmp_path, tell):
        assert said == [f"process {holder.pid} is starting a backfill: waiting for it"]


def test_a_holder_that_does_not_end_is_named(tmp_path, holder):
    with pytest.raises(LockedError, match=f"process {holder.pid} has been planning"):
        turn(tmp_path, lambda text: None, wait=0.3).__enter__()


def test_it_ends_when_kestra_knows_and_leaves_nothing(tmp_path):
    with turn(tmp_path, print) as begun:
        begun()
        with turn(tmp_path, pytest.fail):
            assert [path.name for path in tmp_path.iterdir()] == ["backfill.holder"]
    assert list(tmp_path.iterdir()) == []
