"""What a step costs: little memory whatever the file's size, no library without use."""

from __future__ import annotations

import gzip
import json
import string
import subprocess
import sys

import pytest

from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

MONTH = "2015-03"
ROWS = 1_000_000
OTHERS = {"postgres": {"google.cloud.bigquery"}, "bigquery": {"psycopg"}}
HEAVY = {
    *("cryptography", "duckdb", "grpc", "numpy", "opentelemetry", "pandas", "pyarrow", "rich"),
}
# What looks at the rows themselves does so with NumPy; Google's clients would load it without use.
ROWS_READERS = {("extract", ""), ("load", "postgres")}

# VmHWM and not getrusage: the latter begins with the memory of the process that forked.
OBSERVED = """
import atexit, json, runpy, sys
def note():
    peak = open("/proc/self/status").read().split("VmHWM:")[1].split()[0]
    modules = [name for name, module in sys.modules.items() if module]
    open(REPORT, "w").write(json.dumps({"peak_kib": int(peak), "modules": modules}))
REPORT = sys.argv.pop(1)
atexit.register(note)
runpy.run_module("taxi_etl", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def big_month(parts) -> None:
    """A million rows, nearly all different, without the time that generating them takes."""
    base = b"".join(sample.text(TAXIS["yellow"], Month.parse(MONTH), 50_000))
    header, rows = base.split(b"\r\n", 1)
    path = parts.publish("yellow", MONTH, 1)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header + b"\r\n")
        for flag in string.ascii_uppercase[: ROWS // 50_000]:
            file.write(rows.replace(b",N,", f",{flag},".encode()))


def observed(parts, tmp_path, step, *flags):
    """Run a step to its end; gives its outputs and what it used."""
    report = tmp_path / "report.json"
    _, _, _, *arguments = parts.command(step, "yellow", MONTH, *flags, "--work", str(tmp_path))
    if step == "reconcile":
        arguments = arguments[:-2]
    facts = parts.facts.get(("yellow", MONTH), "")
    done = subprocess.run(
        [sys.executable, "-c", OBSERVED, str(report), *arguments],
        env={**parts.environment, "TAXI_FACTS": facts},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1][2:-2])["outputs"], json.loads(report.read_text())


def check(used, step, destination=""):
    assert used["peak_kib"] < 150 * 1024
    others = OTHERS[destination] if destination else set.union(*OTHERS.values())
    needed = {"numpy"} if (step, destination) in ROWS_READERS else set()
    assert (HEAVY | others).intersection(used["modules"]) == needed


@pytest.mark.usefixtures("big_month")
def test_a_million_rows_take_less_than_150_megabytes_and_no_heavy_library(parts, tmp_path):
    flags = ["--source", parts.source, "--bucket", "lake"]
    outputs, used = observed(parts, tmp_path, "extract", *flags)
    assert outputs["rows"] == ROWS
    check(used, "extract")
    parts.facts["yellow", MONTH] = json.dumps(outputs)
    for destination in ("postgres", "bigquery"):
        flags = parts.flags(destination)
        loaded, used = observed(parts, tmp_path, "load", *flags)
        assert loaded["rows"] == ROWS
        check(used, "load", destination)
        flags = [flag for flag in flags if flag not in ("--execution-id", "test")]
        proven, used = observed(parts, tmp_path, "reconcile", *flags)
        assert proven["rows"] == ROWS
        check(used, "reconcile", destination)
