"""A month into BigQuery, on the emulator

95,000 rows a month for a year, both in this process with Google's own client on the same
emulator. Ours is the step `load`: load job, DELETE and INSERT of the month, ledger. The course's:
a load job, a temporary table with an MD5 key, MERGE into one table. Wall-clock time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from google.cloud import bigquery

from benchmarks.frame import Row
from benchmarks.frame.servers import DATASET, PROJECT, STAGING, Servers, servers
from taxi_etl import facts
from taxi_etl.destinations import Order, get
from taxi_etl.destinations.bigquery import Warehouse
from taxi_etl.destinations.bigquery_sql import TYPES, Place
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

NOTES = """
The time was the emulator's: a transaction copied the whole table first, so that a month took
longer with every month that was there, and each load left a copy of its staging table behind.
With DuckDB's own transactions (`localcloud/transactions.py`) the server's processor time for a
month stays what it is for the first. Most of what was left was reading text as NUMERIC: DuckDB by
itself took 1.1 of 1.8 s for nine columns of `DECIMAL(38, 9)` (128 bits wide). It now reads them by
64 bits where these hold the number, which takes 0.12 s (`localcloud/warehouse_numbers.py`). Then
went what the smallest month takes, too: DuckDB guessed how the CSV is written (0.2 s), each
statement was parsed a dozen times (0.1 s), and Python searched all modules for circles meanwhile.

What is left, in processor time: the file into the staging table 0.5 s, of which reading it takes
0.1 s and the rest is storing it; the INSERT 0.8 s, of which the numbers, lines, equal lines and MD5
take 0.5 s. DuckDB stores 95,000 rows of text and of numbers of 128 bits in 0.3 s each time, with
its log and its checkpoint. Tried, and of no use over twelve months: fewer checkpoints (each then
takes as much longer). The baseline stores the month three times, so 0.25 of it is out of reach.
"""
MONTHS = int(os.environ.get("BENCH_MONTHS", "12"))
YELLOW = TAXIS["yellow"]
NAMES = ", ".join(one.name for one in YELLOW.columns)
KEY = ("VendorID", "tpep_pickup_datetime", "tpep_dropoff_datetime", "PULocationID", "DOLocationID")
COURSE = f"{PROJECT}.{DATASET}.course"


def load(running: Servers, month: Month) -> None:
    """Our step's work."""
    found = facts.read(running.facts(month))
    assert found is not None
    place = get("bigquery")
    warehouse = Warehouse(running.bigquery, Place(PROJECT, DATASET, STAGING))
    order = Order(YELLOW, month, found, "bench", 1, running.folder, datetime.now(UTC))
    place.create(warehouse)
    place.replace(warehouse, order)


def course(running: Servers, month: Month) -> None:
    """The course's statements; a load job in the place of its external table."""
    found = facts.read(running.facts(month))
    assert found is not None
    client, staged = running.bigquery, f"{COURSE}_{str(month).replace('-', '_')}"
    columns = ", ".join(f"`{one.name}` {TYPES[one.kind]}" for one in YELLOW.columns)
    client.query(
        f"CREATE TABLE IF NOT EXISTS `{COURSE}` (unique_row_id BYTES, filename STRING, {columns})"
    ).result()
    config = bigquery.LoadJobConfig(
        schema=[bigquery.SchemaField(one.name, TYPES[one.kind]) for one in YELLOW.columns],
        source_format=bigquery.SourceFormat.CSV,
        skip_leading_rows=1,
    )
    client.load_table_from_uri(found.object, f"{staged}_ext", job_config=config).result()
    key = ", ".join(f"COALESCE(CAST({name} AS STRING), '')" for name in KEY)
    client.query(
        f"CREATE OR REPLACE TABLE `{staged}` AS SELECT MD5(CONCAT({key})) AS unique_row_id, "
        f"'{found.filename}' AS filename, * FROM `{staged}_ext`"
    ).result()
    client.query(
        f"MERGE INTO `{COURSE}` T USING `{staged}` S ON T.unique_row_id = S.unique_row_id "
        f"WHEN NOT MATCHED THEN INSERT (unique_row_id, filename, {NAMES}) "
        f"VALUES (S.unique_row_id, S.filename, {', '.join(f'S.{n.name}' for n in YELLOW.columns)})"
    ).result()


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """A month after another."""
    with servers(folder) as running:
        os.environ["STORAGE_EMULATOR_HOST"] = running.environment["STORAGE_EMULATOR_HOST"]
        months = [Month(2019, n + 1) for n in range(MONTHS)]
        for month in months:
            running.publish(month, 95_000)
            running.extract(month)
        yield [
            Row(
                f"BigQuery's emulator, 95,000 rows, month 1 to {MONTHS}",
                lambda n: load(running, months[n]),
                reach=0.25,
                baseline="load job, temporary table, MERGE",
                theirs=lambda n: course(running, months[n]),
                growth=1.1,
                times=MONTHS,
            )
        ]
