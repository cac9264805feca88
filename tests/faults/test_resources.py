"""Machines that have too little: a disk that can't be written, few files at once, a huge month."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from localcloud import LocalCloud, processes
from localcloud.record import Record

ROOT = Path(__file__).resolve().parents[2]
FAMILY = "Machines with too little"
MANY = 5_000_000
MOST_MB = 150


def test_a_state_that_can_t_be_written_is_told_in_one_line(disk, fault, invoke_on):
    state = disk / "state"
    cloud = LocalCloud(state / "cloud")
    with fault(FAMILY, "the state folder is read-only", "up, start, stop, down") as clock:
        cloud.start()
        cloud.stop()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for command in (("start",), ("up",), ("down", "--yes")):
            done = invoke_on(state, *command, code=3)
            assert "read-only" in done.stderr.lower(), done.stderr
            assert "Traceback" not in done.stderr
        assert "nothing runs" in invoke_on(state, "stop").stdout
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        clock.struck()
        cloud.start()
        clock.recovered()
        invoke_on(state, "down", "--yes")
        assert processes.belonging(Record.load(cloud.layout).id, cloud.layout.run) == []


def test_too_few_open_files_are_told_and_nothing_is_left(tmp_path, fault):
    state = tmp_path / "state"
    with fault(FAMILY, "64 open files at most", "up") as clock:
        done = subprocess.run(
            [sys.executable, "-m", "invoke", "up"], cwd=ROOT, stdin=subprocess.DEVNULL,
            env={**os.environ, "INVOKE_TAXISTACK_STATE": str(state)}, capture_output=True,
            text=True, check=False, timeout=200,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
        )  # fmt: skip
        clock.recovered()
        assert done.returncode in (1, 3), done.stderr
        assert "Traceback" not in done.stderr
        assert "error: " in done.stderr
        assert "allows 64 open files, and the local cloud needs 1024" in done.stderr
        left = [one for one in psutil.process_iter(["cmdline"]) if _of(one, state)]
        assert left == []


def _of(process: psutil.Process, state: Path) -> bool:
    return str(state) in " ".join(process.info["cmdline"] or [])


def peak(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """MB that a step had at most, and what it said; it must succeed."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1024, said


def most_of_the_listener(url: str) -> int:
    """MB that the process at this address has had at most, from its begin on."""
    port = int(url.split("/")[2].rpartition(":")[2])
    listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    (pid,) = {one.pid for one in listening if one.laddr.port == port}
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found, status
    return int(found.group(1)) // 1024


@pytest.mark.faults_all
def test_a_month_of_five_million_rows(parts, fault):
    """Memory of each step, and that it is loaded whole."""
    month = "2030-01"
    parts.publish("green", month, MANY)
    flags = ["--source", parts.source, "--bucket", "lake"]
    with fault(FAMILY, "5,000,000 rows", "extract") as clock:
        used, said = peak(parts.command("extract", "green", month, *flags), parts.environment)
        clock.measured = f"{used:.0f} MB at most"
        assert used < MOST_MB
    facts = {
        **parts.environment,
        "TAXI_FACTS": json.dumps(json.loads(said.splitlines()[-1][2:-2])["outputs"]),
    }
    for destination in ("postgres", "bigquery"):
        with fault(FAMILY, "5,000,000 rows", f"load, {destination}") as clock:
            words = parts.command("load", "green", month, *parts.flags(destination))
            used, _ = peak(words, facts)
            clock.measured = f"{used:.0f} MB at most"
            clock.recovered()
            assert used < MOST_MB
            assert parts.month(destination, "green", month)[0] == MANY
    with fault(FAMILY, "5,000,000 rows", "the local warehouse itself") as clock:
        clock.measured = f"{most_of_the_listener(parts.environment['BIGQUERY_EMULATOR_HOST'])} MB"
