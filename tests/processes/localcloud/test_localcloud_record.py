"""State, lock, ports and processes: what keeps two commands from treading on each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from localcloud import lock, ports, processes
from localcloud.errors import BusyError, FolderError
from localcloud.record import Record


def test_a_record_is_read_as_it_was_written(layout):
    record = Record(
        ports={"storage": 4000}, supervisor={"pid": 1, "started": 2.5}, instance="RUNNING"
    )
    record.save(layout)
    assert Record.load(layout) == record
    assert layout.state.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", "null", "[1]", '{"no_such_field": 1}'])
def test_a_spoilt_record_is_a_new_one(layout, content):
    layout.state.write_text(content)
    record = Record.load(layout)
    assert (record.ports, record.supervisor, record.instance) == ({}, None, None)
    assert record.id


def test_two_clouds_never_share_a_mark(layout):
    assert Record.load(layout).id != Record.load(layout).id


def test_the_lock_lets_one_in_after_the_other(layout):
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(5):
            with lock.held(layout.lock):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.002)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not layout.lock.exists()


def test_a_lock_names_its_holder(layout):
    with (
        lock.held(layout.lock),
        pytest.raises(BusyError, match=f"process {os.getpid()} "),
        lock.held(layout.lock, timeout=0.1),
    ):
        pass


def test_the_lock_of_a_dead_process_does_not_hold(layout):
    layout.lock.write_text("4194304000")
    with lock.held(layout.lock, timeout=0.1):
        assert layout.lock.read_text() == str(os.getpid())
    assert not layout.lock.exists()


def test_a_lock_below_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError), lock.held(tmp_path / "file" / "lock"):
        pass


def test_known_ports_are_kept_and_taken_ones_replaced():
    first = ports.assign(["a", "b"], {})
    assert ports.assign(["a", "b"], first) == first
    with socket.create_server((ports.HOST, first["a"])):
        assert not ports.is_free(first["a"])
        assert str(os.getpid()) in ports.holder(first["a"])
        second = ports.assign(["a", "b"], first)
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]


def test_no_port_is_given_twice():
    given = ports.assign([str(n) for n in range(50)], {"0": 20000, "1": 20000})
    assert len(set(given.values())) == 50


def test_ports_lie_below_those_of_outgoing_connections():
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < max(lowest, 20000) for port in ports.assign(["a", "b", "c"], {}).values())


def sleeper(**environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def test_a_marked_process_is_found_and_ended(layout):
    with sleeper(**{processes.MARK: "abc"}) as child:
        child.stdout.readline()
        assert [found.pid for found in processes.belonging("abc", layout.run)] == [child.pid]
        assert processes.belonging("other", layout.run) == []
        assert processes.end(processes.belonging("abc", layout.run)) == []
        child.wait()
    assert processes.belonging("abc", layout.run) == []


def test_a_recorded_process_is_found_by_id_and_start_time(layout):
    with sleeper() as child:
        identity = processes.identity(child.pid)
        assert processes.find(identity).pid == child.pid
        assert processes.find({**identity, "started": identity["started"] - 60}) is None
        child.kill()
        eventually_zombie(child.pid)
        assert processes.find(identity) is None, "a dead process that nobody waited for"
    assert processes.find(identity) is None


def eventually_zombie(pid: int) -> None:
    deadline = time.monotonic() + 10
    while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("spoilt", [None, {}, {"pid": "x"}, {"pid": 1}])
def test_a_spoilt_identity_names_nobody(spoilt):
    assert processes.find(spoilt) is None


def test_the_caller_is_never_among_those_to_end(layout, monkeypatch):
    monkeypatch.setenv(processes.MARK, "abc")
    with sleeper() as child:
        child.stdout.readline()
        found = [process.pid for process in processes.belonging("abc", layout.run)]
        child.kill()
    assert found == [child.pid]
