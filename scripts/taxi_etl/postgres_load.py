"""Step load, PostgreSQL: a lake object into a table that becomes the month's partition.

Everything happens in one transaction: build the table, fill it by COPY, index it, swap it for
the old partition, write the ledger. A failure or a killed process leaves nothing behind, and the
old month as it was. Other months' loads wait only for the swap, which takes milliseconds.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import tenacity
from psycopg import errors as pg

from taxi_etl import google_clients, lake, ledger, postgres_sql, row_ids, rows
from taxi_etl.errors import LakeConflict, LoadFailed
from taxi_etl.facts import Facts
from taxi_etl.loaded import Loaded
from taxi_etl.month import Month
from taxi_etl.postgres_session import connect, told
from taxi_etl.schema import Taxi

TRIES = 6
"""How often the swap is tried when somebody holds the table."""

_LOCK_TIMEOUT = "10s"
_SCHEMA_LOCK = zlib.crc32(b"taxi_etl schema")


def load(taxi: Taxi, month: Month, facts: Facts, *, execution_id: str, work: Path) -> Loaded:
    """Replace that month in the taxi's table by the lake object of `facts`.

    Raises LakeConflict when the lake does not hold that object any more, LoadFailed, Busy or
    Transient; the table is then as it was.
    """
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="load-", dir=work) as folder:
        path = Path(folder) / facts.filename
        _fetch(facts, path)
        with (
            path.open("rb") as file,
            row_ids.repeats(rows.data_blocks(file), Path(folder)) as again,
            told(f"{taxi.table}, month {month}"),
            connect() as connection,
        ):
            create_tables(connection)
            file.seek(0)
            with connection.transaction():
                stream = row_ids.identified(rows.data_blocks(file), facts.filename, again)
                table = _build(connection, taxi, month, facts, stream)
                job_id = _transaction_id(connection)
                _swap(connection, taxi, month, table)
                entry = ledger.values(taxi, month, facts, job_id, execution_id, started)
                connection.execute(postgres_sql.insert_ledger(), entry)
    return Loaded(facts.rows, facts.total_amount, job_id, started, datetime.now(UTC))


def create_tables(connection: psycopg.Connection) -> None:
    """Make the tables, the ledger and the view where they are missing; safe in parallel."""
    statements = postgres_sql.create_tables()
    if not _missing(connection, statements):
        return
    with connection.transaction():
        # IF NOT EXISTS alone fails when two processes create at once
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SCHEMA_LOCK])
        for name in _missing(connection, statements):
            connection.execute(statements[name])


def _missing(connection: psycopg.Connection, names: dict) -> list[str]:
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
    present = {row[0] for row in connection.execute(query, [postgres_sql.SCHEMA])}
    return [name for name in names if name not in present]


def _fetch(facts: Facts, path: Path) -> None:
    """The object that extract checked, and no other, to a local file."""
    client = google_clients.storage_client()
    found = lake.download(client, facts.bucket, facts.object_name, facts.generation, path)
    if found.crc32c != facts.crc32c:
        raise LakeConflict(
            f"{facts.object} has CRC32C {found.crc32c}, extract noted {facts.crc32c}: run extract "
            "again"
        )


def _build(
    connection: psycopg.Connection, taxi: Taxi, month: Month, facts: Facts, stream: Iterator[bytes]
) -> str:
    """Fill and index a table of this transaction's own; returns its name."""
    token = hashlib.sha256(os.urandom(16)).hexdigest()[:12]  # two loads of a month may meet
    table = f"{postgres_sql.partition(taxi, month)}_{token}"
    connection.execute(postgres_sql.create_partition(taxi, month, facts.filename, table))
    with connection.cursor() as cursor:
        with cursor.copy(postgres_sql.copy_rows(taxi, table)) as copy:
            for block in stream:
                copy.write(block)
        if cursor.rowcount != facts.rows:
            raise LoadFailed(f"{cursor.rowcount} rows arrived, the file has {facts.rows}")
    connection.execute(postgres_sql.finish_partition(taxi, table))
    return table


def _transaction_id(connection: psycopg.Connection) -> str:
    row = connection.execute("SELECT pg_current_xact_id()::text").fetchone()
    return f"transaction_{row[0]}"  # type: ignore[index]


@tenacity.retry(
    retry=tenacity.retry_if_exception_type((pg.LockNotAvailable, pg.DeadlockDetected)),
    stop=tenacity.stop_after_attempt(TRIES),
    wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
    reraise=True,
)
def _swap(connection: psycopg.Connection, taxi: Taxi, month: Month, table: str) -> None:
    """Put the new table in the old one's place; waits for readers, but not for ever.

    A savepoint: when the wait is over, the built table is still there for the next try.
    """
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        # One swap at a time; readers go on until the old partition is detached
        connection.execute(postgres_sql.lock_for_swap(taxi))
        attached = connection.execute(postgres_sql.is_attached(taxi, month)).fetchone() is not None
        connection.execute(postgres_sql.swap(taxi, month, table, attached=attached))
