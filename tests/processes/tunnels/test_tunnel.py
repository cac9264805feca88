"""One tunnel: a real child process, through which real HTTP goes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from taxistack.errors import MissingError, TransientError
from taxistack.tunnels import Tunnel, VmAddress
from taxistack.tunnels import tunnel as tunnels

from .conftest import INSTANCE, gone, with_path

ROOT = Path(__file__).resolve().parents[3]
VM = VmAddress(INSTANCE, "z", "some-project")


@pytest.fixture
def tunnel(server):
    made = Tunnel(VM, 8080)
    yield made
    made.close()


def _version(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/configs", timeout=10) as answer:
        return answer.read()


def _die(tunnel: Tunnel, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    tunnel._process.wait(10)


def test_requests_go_through_it_and_nothing_is_left_after_it(tunnel, gcloud):
    port = tunnel.ensure()
    assert b"2.0.0" in _version(port)
    assert tunnel.ensure() == port
    assert len(gcloud.pids()) == 1
    tunnel.close()
    assert gone(gcloud.pids(), 1)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_is_no_child_of_the_terminals_ctrl_c(tunnel, gcloud):
    tunnel.ensure()
    assert os.getpgid(gcloud.pids()[0]) != os.getpgid(0)
    assert os.getsid(gcloud.pids()[0]) != os.getsid(0)


def test_one_that_died_is_opened_again_at_the_same_port(tunnel, gcloud):
    port = tunnel.ensure()
    _die(tunnel, gcloud.pids()[0])
    assert not tunnel.alive()
    assert tunnel.ensure() == port
    assert b"2.0.0" in _version(port)


def test_who_was_cut_off_learns_that_another_thread_has_opened_it_again(tunnel, gcloud):
    tunnel.ensure()
    first = tunnel.openings
    assert not tunnel.died(first, within=0)
    os.kill(gcloud.pids()[0], signal.SIGKILL)
    assert tunnel.died(first)
    tunnel.ensure()
    assert tunnel.died(first), "that one has died, whatever was opened since"
    assert not tunnel.died(tunnel.openings, within=0)


def test_one_that_dies_again_and_again_is_given_up(tunnel, gcloud):
    for _ in range(tunnels.OPENINGS):
        tunnel.ensure()
        _die(tunnel, gcloud.pids()[-1])
    with pytest.raises(MissingError, match=rf"{INSTANCE}:8080 was cut 5 times within 60 s"):
        tunnel.ensure()


def test_one_that_never_listens_is_not_waited_for_without_end(tunnel, gcloud, monkeypatch):
    monkeypatch.setattr(tunnels, "OPENING", 1.0)
    gcloud.fail("silent")
    with pytest.raises(TransientError, match="did not open the tunnel"):
        tunnel.ensure()


def test_a_port_that_was_asked_for_is_the_one(server):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    chosen = Tunnel(VM, 8080, port)
    try:
        assert chosen.ensure() == port
    finally:
        chosen.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP])
def test_a_command_that_is_killed_leaves_no_gcloud(how, server, gcloud):
    code = f"""
        import sys, time
        from taxistack.tunnels import Tunnel, VmAddress
        print(Tunnel(VmAddress({INSTANCE!r}, "z", "some-project"), 8080).ensure(), flush=True)
        time.sleep(600)
    """
    command = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**with_path(gcloud), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'scripts'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with command:
        port = int(command.stdout.readline())
        assert b"2.0.0" in _version(port)
        started = gcloud.pids() + [one.pid for one in psutil.Process(command.pid).children(True)]
        command.send_signal(how)
    assert len(started) == 4  # gcloud's Python, and again below its shell and the guard
    assert gone(started)


def test_a_gcloud_that_does_not_end_when_asked_is_ended(tunnel, gcloud, server):
    tunnel.ensure()
    os.kill(gcloud.pids()[0], signal.SIGSTOP)  # takes no SIGTERM any more
    begun = time.monotonic()
    tunnel.close()
    assert gone(gcloud.pids(), 1)
    assert time.monotonic() - begun < tunnels.CLOSING + 5
