"""The start of a step's process

A step's process is started, imports all that the step imports until it begins its work, and ends.
The baseline is the interpreter alone. Both start in the folder that the package is in, with
Python's cache of compiled modules as an installation leaves it. Processor time, user and system.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.frame import Row, processor

NOTES = """
Missed. What is left is Google's clients and httpx: of a start of extract, two thirds are
google-cloud-storage with requests, urllib3 and google-auth (which imports cryptography for keys
that nobody here has), a fifth is httpx; the steps' own modules are a tenth. Left out already:
gRPC, protobuf, pyarrow, OpenTelemetry, what guesses encodings, NumPy for small months. Half of it
would go with a Cloud Storage client of our own, the rest with one process for the three steps.
"""
SCRIPTS = Path(__file__).parents[1] / "scripts"
# What each step has imported when it is through.
STEPS = {
    "extract": ["extract"],
    "load into PostgreSQL": ["load", "destinations.postgres"],
    "load into BigQuery": ["load", "destinations.bigquery"],
    "reconcile": ["reconcile", "destinations.postgres"],
}


def started(modules: list[str]) -> None:
    """Start a process as `python -m taxi_etl` does, and import."""
    imports = "; ".join(f"import taxi_etl.{module}" for module in ["cli", *modules])
    python("from taxi_etl.lean import hide_optional_packages as hide; hide(); " + imports)


def python(code: str) -> None:
    """Run the interpreter."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """A row for each step."""
    yield [
        Row(
            f"start of {step}",
            lambda _, modules=modules: processor(lambda: started(modules)),
            reach=7.5,
            baseline="`python -c pass`",
            theirs=lambda _: processor(lambda: python("pass")),
            times=9,
        )
        for step, modules in STEPS.items()
    ]
