"""A backfill, against the same steps by hand

12 months of 2 taxis into 2 destinations, 2,000 rows each, two at a time: 48 loads, each with its
extract, load and reconcile. Ours is `invoke backfill`, with all that Kestra does for it. The
baseline is `xargs -P2` over the same steps, as processes of a shell: no plan, no states, no logs,
no retries. Everything is there already, so both load each month again. Then one such month alone,
in Kestra: created over HTTP and answered when it has ended (`wait=true`). Wall-clock time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks._platform import invoke, running
from benchmarks.frame import Row, surroundings
from taxi_etl.month import Month

NOTES = """
Missed. Both cores work from the first month to the last, so the ratio is one of processor time, and
what it is above 1 is what the engine costs, and the command with its plan and its looks a little:
of some 85 s of processor time for 48 loads the engine takes 22, the steps 46, the servers 15.

The engine's part is Kestra's: each step of an execution is a transaction that reads the execution,
decides, and writes it, some 70 of them for three tasks, 40 KB each; each iteration of the
backfill's Loop is an execution more. What was changed, each found by a profile of its queues: the
same JSON was read again for each column of H2's table (`H2Functions.java`, a fifth); each commit
was written to the file by itself, and now those of a tenth of a second are written together, and
all of them before anything is answered, since what is told must outlive a kill (two fifths); a
reader that was woken looked again and again, as it might have been woken before the commit, some
350 times a load for nothing, and now bells ring when a transaction is over (a quarter,
`AtomicSteps.java`); the command read all executions of its backfill each second, and now those that
may have changed (the more, the longer a backfill is). What is left is spread: reading and writing
the text of JSON, jOOQ writing SQL, H2 reading it, starting processes. Tried, and of no use: the
second compiler (a third more), later compiling by the first, more parsed statements a session.
"""

MONTHS = int(os.environ.get("BENCH_MONTHS", "12"))
FIRST = Month(2019, 1)
LAST = Month.parse(f"2019-{MONTHS:02d}")
FLOWS = {"PostgreSQL": "taxi_to_postgres", "BigQuery": "taxi_to_bigquery"}
SCRIPTS = Path(__file__).parents[1] / "scripts"
# One cell: its taxi, its month and its destination are the words of a line.
CELL = """set -e
facts="$FACTS/$1-$2-$3.json"
step="$PYTHON -m taxi_etl"
$step extract --taxi "$1" --month "$2" --source "$SOURCE" --bucket "$BUCKET" --facts "$facts"
$step load --taxi "$1" --month "$2" --destination "$3" --facts "$facts" --execution-id "xargs-$RUN"
$step reconcile --taxi "$1" --month "$2" --destination "$3" --facts "$facts"
"""


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """The first run of each side, which is not counted, finds the months missing."""
    with running(folder) as variables, _kestra(variables) as kestra:
        invoke(folder, "deploy-flows")
        asked = ["--start", str(FIRST), "--end", str(LAST), "--only", "all", "--parallel", "2"]
        environment = {**surroundings(), **variables, **_places(kestra), "FACTS": str(folder)}
        yield [
            Row(
                f"backfill, {MONTHS} months, 2 taxis, 2 destinations, 2 at a time",
                lambda _: _ours(folder, asked),
                reach=1.15,
                baseline="the same steps by xargs -P2",
                theirs=lambda n: _theirs({**environment, "RUN": str(n)}),
                times=5,
            ),
            *(
                Row(
                    f"a month of 2,000 rows into {title}, created to answered",
                    lambda _, flow=flow: _one(kestra, flow),
                    reach=1.5,
                )
                for title, flow in FLOWS.items()
            ),
        ]


def _ours(folder: Path, asked: list[str]) -> None:
    invoke(folder, "backfill", *asked, "--force")


def _one(kestra: httpx.Client, flow: str) -> None:
    inputs = {"taxi": (None, "yellow"), "month": (None, str(FIRST))}
    done = kestra.post(f"executions/taxi/{flow}?wait=true", files=inputs).raise_for_status().json()
    if done["state"]["current"] != "SUCCESS":
        raise RuntimeError(f"{flow} ended {done['state']}")


def _kestra(variables: dict[str, str]) -> httpx.Client:
    return httpx.Client(
        base_url=f"{variables['KESTRA_URL']}/api/v1/main/",
        auth=(variables["KESTRA_USER"], variables["KESTRA_PASSWORD"]),
        timeout=60,
        trust_env=False,
    )


def _places(kestra: httpx.Client) -> dict[str, str]:
    """What a flow asks Kestra for: where the months come from and go to."""
    names = {"source": "SOURCE", "bucket": "BUCKET", "dataset": "DATASET",
             "staging_dataset": "STAGING_DATASET"}  # fmt: skip
    found = {
        named: kestra.get(f"namespaces/taxi/kv/{key}").raise_for_status().json()
        for key, named in names.items()
    }
    return {name: answer["value"] for name, answer in found.items()}


def _theirs(environment: dict[str, str]) -> None:
    cells = [
        f"{taxi} {month} {destination}"
        for month in Month.range(FIRST, LAST)
        for taxi in ("yellow", "green")
        for destination in ("bigquery", "postgres")
    ]
    subprocess.run(
        ["xargs", "-P2", "-L1", "bash", "-c", CELL, "cell"],
        input="\n".join(cells),
        env={**environment, "PYTHON": sys.executable, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
    )
