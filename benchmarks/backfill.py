"""A backfill, against the same steps by hand

6 months of 2 taxis into 2 destinations, 2,000 rows each, two at a time: 24 loads, each with its
extract, load and reconcile. Ours is `invoke backfill`, with all that Kestra does for it. The
baseline is `xargs -P2` over the same steps, as processes of a shell: no plan, no states, no logs,
no retries. Everything is there already, so both load each month again. Wall-clock time.
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

MONTHS = int(os.environ.get("BENCH_MONTHS", "6"))
FIRST = Month(2019, 1)
LAST = Month.parse(f"2019-{MONTHS:02d}")
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
    """One row; the first run of each side, which is not counted, finds the months missing."""
    with running(folder) as variables:
        invoke(folder, "deploy-flows")
        asked = ["--start", str(FIRST), "--end", str(LAST), "--only", "all", "--parallel", "2"]
        invoke(folder, "backfill", *asked, "--force")
        environment = {**surroundings(), **variables, **_places(variables), "FACTS": str(folder)}
        yield [
            Row(
                f"backfill, {MONTHS} months, 2 taxis, 2 destinations, 2 at a time",
                lambda _: _ours(folder, asked),
                reach=1.15,
                baseline="the same steps by xargs -P2",
                theirs=lambda n: _theirs({**environment, "RUN": str(n)}),
                times=3,
            )
        ]


def _ours(folder: Path, asked: list[str]) -> None:
    invoke(folder, "backfill", *asked, "--force")


def _places(variables: dict[str, str]) -> dict[str, str]:
    """What a flow asks Kestra for: where the months come from and go to."""
    names = {"source": "SOURCE", "bucket": "BUCKET", "dataset": "DATASET",
             "staging_dataset": "STAGING_DATASET"}  # fmt: skip
    with httpx.Client(
        base_url=f"{variables['KESTRA_URL']}/api/v1/main/namespaces/taxi/kv/",
        auth=(variables["KESTRA_USER"], variables["KESTRA_PASSWORD"]),
        trust_env=False,
    ) as kestra:
        return {
            named: kestra.get(key).raise_for_status().json()["value"]
            for key, named in names.items()
        }


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
