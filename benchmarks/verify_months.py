"""What verify asks of 62 months, against one count(*) a month

62 months of 2,000 rows in each destination, both in this process with the destination's own client
on the same server. Ours is what `invoke verify` asks of a destination: the ledger, and of every
month its rows, exact sum, distinct ids, fingerprint, nulls, strays and duplicates. The baseline is
`SELECT count(*)` of one month after another. Wall-clock time.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.frame import Row
from benchmarks.frame.servers import BUCKET, Servers, servers
from taxi_etl.destinations import Destination, Order, get
from taxi_etl.destinations.bigquery import Warehouse
from taxi_etl.extract import extract
from taxi_etl.load import load
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

NOTES = """
PostgreSQL counts two thousand rows in half a millisecond, and one look at all columns of them is
thirteen: sums, distinct ids, the fingerprint over every row. That is the proof, and it is not made
smaller. The emulator is asked once for all months, which its baseline is not.
"""

MONTHS = Month.range(Month(2019, 1), Month(2024, 2))
GREEN = TAXIS["green"]


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """A row for each destination."""
    with servers(folder) as running:
        os.environ.update(running.environment)
        for month in MONTHS:
            _fill(running, month)
        postgres, bigquery = get("postgres"), get("bigquery")
        with postgres.connect() as connection, bigquery.connect() as warehouse:
            yield [
                Row(
                    f"{len(MONTHS)} months in PostgreSQL",
                    _asked(postgres, connection),
                    reach=1.0,
                    baseline="one count(*) a month",
                    theirs=lambda _: _count(lambda text: connection.execute(text).fetchall()),
                ),
                Row(
                    f"{len(MONTHS)} months in BigQuery's emulator",
                    _asked(bigquery, warehouse),
                    reach=1.0,
                    baseline="one count(*) a month",
                    theirs=lambda _: _count_in_warehouse(warehouse),
                ),
            ]


def _fill(running: Servers, month: Month) -> None:
    """Publish a month and load it into both."""
    running.publish(month, 2_000, GREEN.name)
    folder = running.folder
    with redirect_stdout(io.StringIO()):  # extract says what it has checked
        found = extract(
            GREEN, month, source=running.source, bucket=BUCKET, replace=False, work=folder
        )
    assert found is not None
    for name in ("postgres", "bigquery"):
        load(get(name), Order(GREEN, month, found, "bench", 1, folder, datetime.now(UTC)))


def _asked(destination: Destination[Any], session: Any) -> Callable[[int], None]:
    def ask(_: int) -> None:
        first, last = MONTHS[0], MONTHS[-1]
        assert len(destination.entries(session, first, last)) == len(MONTHS)
        found = destination.months(session, GREEN, first, last, duplicates=True)
        assert len(found) == len(MONTHS)

    return ask


def _count(query: Callable[[str], Any], table: str = GREEN.table) -> None:
    for month in MONTHS:
        query(f"SELECT count(*) FROM {table} WHERE source_month = DATE '{month}-01'")


def _count_in_warehouse(warehouse: Warehouse) -> None:
    place = warehouse.place.table(GREEN.table)
    _count(lambda text: list(warehouse.client.query(text).result()), place)
