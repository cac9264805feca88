"""Machines that have too little: a disk that can't be written, few files at once, a huge month."""

from __future__ import annotations

import json
import os
import re
import resource
import string
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from isal import igzip
from tests.platform.etl.test_etl_footprint import OBSERVED

from localcloud import LocalCloud, processes
from localcloud.record import Record
from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

ROOT = Path(__file__).resolve().parents[2]
FAMILY = "Machines with too little"
MANY = 5_000_000
HUGE = "2018-06"
"""Before the rows without a flag began: letters in its place make rows different."""
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


def peak(parts, folder: Path, step: str, *flags: str, **more: str) -> tuple[float, dict]:
    """MB that a step about that month had at most, and its outputs; it must succeed."""
    _, _, _, *arguments = parts.command(step, "green", HUGE, *flags)
    report = folder / "report.json"
    done = subprocess.run(
        [sys.executable, "-c", OBSERVED, str(report), *arguments],
        env={**parts.environment, **more}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    last = done.stdout.splitlines()[-1]
    said = json.loads(last[2:-2])["outputs"] if last.startswith("::{") else {}
    return json.loads(report.read_text())["peak_kib"] / 1024, said


def most_of_the_listener(url: str) -> int:
    """MB that the process at this address has had at most, from its begin on."""
    port = int(url.split("/")[2].rpartition(":")[2])
    listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    (pid,) = {one.pid for one in listening if one.laddr.port == port}
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found, status
    return int(found.group(1)) // 1024


def publish(parts) -> None:
    """Five million rows, nearly all different, without the time that generating them takes."""
    letters = string.ascii_uppercase[:25]
    base = b"".join(sample.text(TAXIS["green"], Month.parse(HUGE), MANY // len(letters)))
    header, rows = base.split(b"\r\n", 1)
    with igzip.open(parts.publish("green", HUGE, 1), "wb", compresslevel=1) as file:
        file.write(header + b"\r\n")
        for flag in letters:
            file.write(rows.replace(b",N,", f",{flag},".encode()))


@pytest.mark.faults_all
def test_a_month_of_five_million_rows(parts, fault, tmp_path):
    """Memory of each step, and that it is loaded whole."""
    publish(parts)
    with fault(FAMILY, "5,000,000 rows", "extract") as clock:
        flags = ("--source", parts.source, "--bucket", "lake", "--work", str(tmp_path))
        used, outputs = peak(parts, tmp_path, "extract", *flags)
        clock.recovered()
        clock.measured = f"{used:.0f} MB at most"
        assert used < MOST_MB
    for destination in ("postgres", "bigquery"):
        with fault(FAMILY, "5,000,000 rows", f"load, {destination}") as clock:
            flags = (*parts.flags(destination), "--work", str(tmp_path))
            used, _ = peak(parts, tmp_path, "load", *flags, TAXI_FACTS=json.dumps(outputs))
            clock.recovered()
            clock.measured = f"{used:.0f} MB at most"
            assert used < MOST_MB
            assert parts.month(destination, "green", HUGE)[0] == MANY
    with fault(FAMILY, "5,000,000 rows", "the local warehouse itself") as clock:
        clock.measured = f"{most_of_the_listener(parts.environment['BIGQUERY_EMULATOR_HOST'])} MB"
