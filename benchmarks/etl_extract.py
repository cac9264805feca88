"""Extract's one pass over a month file against the obvious way: the csv module, row by row.

Both find the same figures (asserted) in the same file. Rewrites etl_extract.md beside it. The
ratio is what counts: the rows a second are those of the machine that ran it.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import google_crc32c

from taxi_etl import sample
from taxi_etl.inspection import inspect
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Taxi

ROWS = 300_000
TIMES = 5
MONTH = Month(2019, 3)

Figures = tuple[int, Decimal, str]


def naive(path: Path, taxi: Taxi) -> Figures:
    """Rows, sum and SHA-256 by csv.reader and Decimal; a second read for the checksums."""
    total, rows = Decimal(0), 0
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        assert next(lines) == [column.name for column in taxi.columns]
        for line in lines:
            assert len(line) == len(taxi.columns)
            total += Decimal(line[taxi.place("total_amount")] or 0)
            rows += 1
    data = path.read_bytes()
    google_crc32c.Checksum(data).digest()
    return rows, total, hashlib.sha256(data).hexdigest()


def ours(path: Path, taxi: Taxi) -> Figures:
    """The same by taxi_etl."""
    found = inspect(path, taxi, MONTH)
    return found.rows, found.total_amount, found.sha256


def seconds(work: Callable[[Path, Taxi], Figures], path: Path, taxi: Taxi) -> float:
    """Processor seconds of the middle one of several runs: other programs don't count."""
    times = []
    for _ in range(TIMES):
        start = time.process_time()
        work(path, taxi)
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Measure both taxis and write the table."""
    lines = [
        "# One pass over a month file: taxi_etl against the csv module",
        "",
        f"Generated months of {ROWS:,} rows; processor time, median of {TIMES} runs; made by "
        "`invoke bench --name etl_extract`.",
        "",
        "| taxi | csv module, rows/s | taxi_etl, rows/s | ratio |",
        "|---|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for taxi in TAXIS.values():
            path = Path(folder) / taxi.name
            sample.write(path, taxi.name, MONTH, ROWS)
            assert naive(path, taxi) == ours(path, taxi)
            slow, fast = seconds(naive, path, taxi), seconds(ours, path, taxi)
            lines.append(
                f"| {taxi.name} | {ROWS / slow:,.0f} | {ROWS / fast:,.0f} | {slow / fast:.1f} |"
            )
    text = "\n".join(lines) + "\n"
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
