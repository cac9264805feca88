"""The start of a step's process

A step's process is started, imports all that the step imports until it begins its work, and ends.
The baseline is the interpreter alone. Both start as a task does: the package comes from the archive
that `deploy-flows` makes, the libraries from Python's cache of compiled modules as an installation
leaves it. Processor time, user and system.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.frame import Row, processor, surroundings
from taxistack.etl_archive import ETL_ARCHIVE, packed

NOTES = """
Missed. A start was 0.37 to 0.48 s from the archive: Python keeps what it compiles of a folder, and
nothing of an archive, so each start compiled each module of ours (0.06 s; the archive now holds
them compiled); the 500 modules that are imported were searched for circles a hundred times, and
once more at the end, when each was taken apart (0.06 to 0.1 s; not done any more). That made 0.23
to 0.31 s.

From there on counted in instructions (valgrind), which nothing else on the machine touches; the
interpreter alone has 40 million. Extract went from 756 to 537 million, a load into PostgreSQL from
979 to 853, into BigQuery from 797 to 639, reconcile from 1029 to 858; as whole steps with a month
of 2,000 rows from 974 to 708, 1299 to 1189, 840 to 711 and 1198 to 973. A hundred regular
expressions were compiled by imports, of which a step uses a quarter: now by who uses them (86
million). httpx, with what it imports when its client is made, was an eighth of an extract: requests
comes with Google's libraries anyway. asyncio, subprocess, XML and other compressions are run by who
uses them (48 million; psycopg uses asyncio at once). What compares a month with its table was
imported by extract, too (23 million).

Of what is left in extract half is the standard library, an eighth google-auth and google-api-core,
a ninth requests with urllib3, a fifteenth google-cloud-storage, an eighth the steps' own modules;
of a load into PostgreSQL a quarter is psycopg, and asyncio, which it wants, a twentieth. Left out
or put off: gRPC, protobuf, pyarrow, OpenTelemetry, what guesses encodings, NumPy for small months,
and cryptography, which google-auth imports for keys that nobody here has. google-api-core looks at
each start for the versions of two packages (a twentieth), and can't be told not to. Tried, and not
worth it: the working folder off the path (1 %), an end without Python's own (2 %, and what is
registered for the end would not run). The modules are 400 to 520, each found, read and run; fewer
would take a Cloud Storage client of our own, or one process for the three steps of a month, which
Kestra could then not show, time and retry apart. A shell that sets PYTHONDONTWRITEBYTECODE doubles
all of it: every start compiles every module.
"""
PACKAGE = Path(__file__).parents[1] / "scripts" / "taxi_etl"
# What each step has imported when it is through.
STEPS = {
    "extract": ["taxi_etl.extract"],
    "load into PostgreSQL": ["taxi_etl.load", "taxi_etl.destinations.postgres"],
    "load into BigQuery": ["taxi_etl.load", "taxi_etl.destinations.bigquery"],
    "reconcile": ["taxi_etl.reconcile", "taxi_etl.destinations.postgres"],
}


def started(folder: Path, modules: list[str]) -> None:
    """Start a process as `python -m taxi_etl` does, and import."""
    imports = ", ".join(["taxi_etl.cli", *modules, "google.cloud.storage"])
    python(folder, f"from taxi_etl import lean\nlean.start()\nimport {imports}")


def python(folder: Path, code: str) -> None:
    """Run the interpreter in a folder that holds the archive."""
    environment = {**surroundings(), "PYTHONPATH": ETL_ARCHIVE}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True)


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """A row for each step."""
    sources = PACKAGE.rglob("*.py")
    files = {path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes() for path in sources}
    (folder / ETL_ARCHIVE).write_bytes(packed(files))
    yield [
        Row(
            f"start of {step}",
            lambda _, modules=modules: processor(lambda: started(folder, modules)),
            reach=7.5,
            baseline="`python -c pass`",
            theirs=lambda _: processor(lambda: python(folder, "pass")),
            times=9,
        )
        for step, modules in STEPS.items()
    ]
