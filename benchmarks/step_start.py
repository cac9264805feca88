"""The start of a step's process

A step's process is started, imports all that the step imports until it begins its work, and ends.
The baseline is the interpreter alone. Both start in the folder that the package is in, with
Python's cache of compiled modules as an installation leaves it. Processor time, user and system.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.frame import Row, processor, surroundings

NOTES = """
Missed. Of a start of extract a third is google-cloud-storage with google-auth, a fifth requests
with urllib3, a seventh httpx, a fifth what the standard library brings; of a load into PostgreSQL
two fifths are psycopg. The steps' own modules are a tenth. Left out or put off: gRPC, protobuf,
pyarrow, OpenTelemetry, what guesses encodings, NumPy for small months, and cryptography, which
google-auth imports for keys that nobody here has (a seventh of the start). The modules are 500 to
600, each found, read and run in half a millisecond; fewer would take a Cloud Storage client of our
own, or one process for the three steps of a month, which Kestra could then not show, time and
retry apart. A shell that sets PYTHONDONTWRITEBYTECODE doubles all of it: every start compiles
every module.
"""
SCRIPTS = Path(__file__).parents[1] / "scripts"
# What each step has imported when it is through.
STEPS = {
    "extract": ["taxi_etl.extract"],
    "load into PostgreSQL": ["taxi_etl.load", "taxi_etl.destinations.postgres"],
    "load into BigQuery": ["taxi_etl.load", "taxi_etl.destinations.bigquery"],
    "reconcile": ["taxi_etl.reconcile", "taxi_etl.destinations.postgres"],
}


def started(modules: list[str]) -> None:
    """Start a process as `python -m taxi_etl` does, and import."""
    imports = ", ".join(["taxi_etl.cli", *modules, "google.cloud.storage"])
    python(
        "from taxi_etl.lean import hide_optional_packages, put_off\n"
        f"hide_optional_packages(); put_off(); import {imports}"
    )


def python(code: str) -> None:
    """Run the interpreter."""
    environment = {**surroundings(), "PYTHONPATH": str(SCRIPTS)}
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
