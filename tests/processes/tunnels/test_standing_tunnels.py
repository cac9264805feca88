"""The file of `invoke tunnel`: believed while its process holds it, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from taxistack.errors import LockedError, MissingError
from taxistack.tunnels import hold, keep_open
from taxistack.tunnels.standing import Kept, kept

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
    import sys, time
    from pathlib import Path
    from taxistack.tunnels import hold
    with hold(Path(sys.argv[1])) as write:
        write(8081, 5433)
        print("held", flush=True)
        time.sleep(600)
"""


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "tunnels-taxistack.json"


@pytest.fixture
def holder(file):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), file],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'scripts'}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_others_learn_the_ports_while_it_runs(file, holder):
    assert kept(file) == Kept(holder.pid, 8081, 5433)


def test_a_killed_one_is_not_believed(file, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert file.read_text()
    assert kept(file) is None


def test_a_second_one_is_told_who_was_first(file, holder):
    with pytest.raises(LockedError, match=f"process {holder.pid}") as raised, hold(file):
        pass
    assert raised.value.exit_code == 4


def test_after_it_there_is_nothing_to_know(file):
    with hold(file) as write:
        write(1, 2)
    assert kept(file) is None
    assert file.read_text() == ""
    with hold(file) as write:  # and it can be held again
        write(3, 4)


def test_no_file_is_no_tunnel(file):
    assert kept(file) is None


class Played:
    """A tunnel that is cut, and opens again at the given try."""

    port = 8080

    def __init__(self, opens_at: int) -> None:
        self.opens_at, self.tries, self.looks = opens_at, 0, 0

    def alive(self) -> bool:
        self.looks += 1
        if self.tries == self.opens_at and self.looks > 3:
            raise KeyboardInterrupt
        return self.tries == self.opens_at

    def ensure(self) -> int:
        self.tries += 1
        if self.tries < self.opens_at:
            raise MissingError("no network")
        return 1


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr("taxistack.tunnels.standing.time.sleep", taken.append)
    return taken


def test_a_tunnel_that_is_cut_is_opened_again_and_told(pauses):
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        keep_open([Played(opens_at=3)], told.append)
    assert told == [
        "the tunnel to port 8080 was cut; opening it again",
        "the tunnel to port 8080 is open again",
    ]
    assert pauses[:2] == [1, 2]


def test_one_that_can_not_be_opened_again_ends_it(pauses):
    with pytest.raises(MissingError, match="no network"):
        keep_open([Played(opens_at=99)], lambda _: None)
    assert pauses == [1, 2, 4, 8]
