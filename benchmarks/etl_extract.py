"""Extract's one pass over a month file

Against the obvious way: the csv module, row by row. Both find the same figures (asserted) in the
same generated file. Processor time, in this process.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import google_crc32c

from benchmarks.frame import Row
from taxi_etl import sample
from taxi_etl.inspection import inspect
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Taxi

ROWS = 300_000
MONTH = Month(2019, 3)

Figures = tuple[int, Decimal, str]


def naive(path: Path, taxi: Taxi) -> Figures:
    """Rows, sum and SHA-256 by csv.reader and Decimal; a second read for the checksums."""
    total, rows = Decimal(0), 0
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        assert taxi.is_header(",".join(next(lines)))
        for line in lines:
            assert len(line) == len(taxi.columns)
            if taxi.measure:
                total += Decimal(line[taxi.place(taxi.measure)] or 0)
            rows += 1
    data = path.read_bytes()
    google_crc32c.Checksum(data).digest()
    return rows, total, hashlib.sha256(data).hexdigest()


def ours(path: Path, taxi: Taxi) -> Figures:
    """The same by taxi_etl."""
    found = inspect(path, taxi, MONTH)
    return found.rows, found.total_amount, found.sha256


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """A row for each taxi; what they find is equal."""
    found = []
    for taxi in TAXIS.values():
        path = folder / taxi.name
        sample.write(path, taxi.name, MONTH, ROWS)
        assert naive(path, taxi) == ours(path, taxi)
        found.append(
            Row(
                f"look through {ROWS:,} rows of {taxi.name}",
                lambda _, path=path, taxi=taxi: seconds(ours, path, taxi),
                reach=0.33,
                baseline="csv module, row by row",
                theirs=lambda _, path=path, taxi=taxi: seconds(naive, path, taxi),
            )
        )
    yield found


def seconds(work: Callable[[Path, Taxi], Figures], path: Path, taxi: Taxi) -> float:
    """Processor seconds of a run, in this process."""
    start = time.process_time()
    work(path, taxi)
    return time.process_time() - start
