"""A month into PostgreSQL

Ours is the whole step `load`, its process included: from the lake's object to the swapped
partition and the ledger. *95,000 rows*, month after month for two years: the course's way, that
is COPY into a staging table, UPDATE of an MD5 key, MERGE into one table, by `psql` on the same
server. *1 million rows*: `gunzip` piped into COPY of an unlogged table, and the index: the least
that brings the rows there. Wall-clock time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.frame import Row
from benchmarks.frame.servers import Servers, servers
from taxi_etl.destinations.postgres_sql import TYPES
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

NOTES = """
COPY in its binary form takes the server about half of the time of its text form, since it has
nothing to parse; that pays for the columns which the baseline does not have (id, file name, month,
time of the load: 76 bytes a row): of a million rows 1.6 s, the index 0.4 s, the commit 0.15 s on a
quiet machine, less than the baseline takes. Our own time was 3.7 s for the million, half of it MD5
of one row after the other; many rows at a time (`taxi_etl/digests.py`) take half of that, and are
hashed by a thread of their own while others are put together. For a million rows the thread that
decompresses takes 0.2 s of processor time, the one that cuts and hashes 1.4 s, the one that puts
the rows together 1.5 s; with the server's 2.2 s that is more than two cores do in 1.2 times the
baseline's time. Blocks of another size than 512 KiB cost more, or memory (1 MiB: 5 % less).

Of a month of 95,000 rows a third is the start of the process and NumPy, which five times as fast as
the course's way leaves no room for.
"""
FIRST, BIG = Month(2019, 1), Month(2015, 3)
MONTHS = int(os.environ.get("BENCH_MONTHS", "24"))
YELLOW = TAXIS["yellow"]
COLUMNS = ", ".join(f"{one.name} {TYPES[one.kind]}" for one in YELLOW.columns)
NAMES = ", ".join(one.name for one in YELLOW.columns)
COURSE = f"""gunzip -c "$FILE" | psql -q -v ON_ERROR_STOP=1 \\
-c "CREATE TABLE IF NOT EXISTS course (unique_row_id text, filename text, {COLUMNS})" \\
-c "CREATE TABLE IF NOT EXISTS staging (unique_row_id text, filename text, {COLUMNS})" \\
-c "TRUNCATE staging" \\
-c "\\copy staging ({NAMES}) FROM STDIN WITH (FORMAT csv, HEADER)" \\
-c "UPDATE staging SET unique_row_id = md5(COALESCE(CAST(VendorID AS text), '') ||
COALESCE(CAST(tpep_pickup_datetime AS text), '') ||
COALESCE(CAST(tpep_dropoff_datetime AS text), '') || COALESCE(PULocationID, '') ||
COALESCE(DOLocationID, '') || COALESCE(CAST(fare_amount AS text), '') ||
COALESCE(CAST(trip_distance AS text), '')), filename = '$NAME'" \\
-c "MERGE INTO course AS T USING staging AS S ON T.unique_row_id = S.unique_row_id
WHEN NOT MATCHED THEN INSERT (unique_row_id, filename, {NAMES})
VALUES (S.unique_row_id, S.filename, {", ".join(f"S.{one.name}" for one in YELLOW.columns)})"
"""
LEAST = f"""psql -q -c "DROP TABLE IF EXISTS least" -c "CREATE UNLOGGED TABLE least ({COLUMNS})"
gunzip -c "$FILE" | psql -q -c "\\copy least FROM STDIN WITH (FORMAT csv, HEADER)"
psql -q -c "CREATE INDEX ON least ({YELLOW.pickup})"
"""
LOAD = ("--destination", "postgres")


def load(servers: Servers, month: Month) -> None:
    """Our step."""
    servers.step("load", month, *LOAD)


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """A small month after another, and a big one."""
    with servers(folder) as running:
        months = [Month(2019 + n // 12, n % 12 + 1) for n in range(MONTHS)]
        files = [running.publish(month, 95_000) for month in months]
        big = running.publish(BIG, 1_000_000)
        for month in [*months, BIG]:
            running.extract(month)
        yield [
            Row(
                f"PostgreSQL, 95,000 rows, month 1 to {MONTHS}",
                lambda n: load(running, months[n]),
                reach=0.2,
                baseline="COPY, UPDATE of an MD5 key, MERGE",
                theirs=lambda n: running.shell(COURSE, FILE=files[n], NAME=files[n].name),
                growth=1.1,
                times=MONTHS,
            ),
            Row(
                "PostgreSQL, 1 million rows",
                lambda _: load(running, BIG),
                reach=1.2,
                baseline="gunzip, COPY, index",
                theirs=lambda _: running.shell(LEAST, FILE=big),
            ),
        ]
