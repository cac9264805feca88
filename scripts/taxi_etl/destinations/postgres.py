"""PostgreSQL: a lake object into a table that becomes the month's partition.

A month is replaced in one transaction: build the table, fill it by COPY, index it, swap it for
the old partition, write the ledger. A failure or a killed process leaves nothing behind, and the
old month as it was. Other months' loads wait only for the swap, which takes milliseconds.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import tenacity
from psycopg import errors as pg

from taxi_etl import google_clients, lake, row_ids, rows, surroundings
from taxi_etl.compare import TableMonth
from taxi_etl.destinations import Destination, Order, postgres_rows, postgres_sql
from taxi_etl.errors import Busy, ConnectionLost, LakeConflict, LoadFailed
from taxi_etl.facts import Facts
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxi_etl.schema import Taxi

TRIES = 6
"""How often the swap is tried when somebody holds the table."""

_LOCK_TIMEOUT = "10s"
# A step that vanished without a word (its machine went down, its network went away) would hold the
# table that it was about to swap for hours. Within the tries of the next one it is given up.
_VANISHED = "-c idle_in_transaction_session_timeout=30s"
_SCHEMA_LOCK = zlib.crc32(b"taxi_etl schema")
_Connection = psycopg.Connection


class Postgres:
    """See `Destination`; a session is a connection, in autocommit mode or not."""

    title = "PostgreSQL"
    types = postgres_sql.TYPES

    def connect(self) -> _Connection:
        """A connection as libpq's own environment says (PGHOST, PGUSER, …), in autocommit mode."""
        return psycopg.connect(
            "",
            autocommit=True,
            connect_timeout=10,
            application_name="taxi_etl",
            options=_VANISHED,
            require_auth=surroundings.LOGIN,
        )

    @contextmanager
    def explaining(self, what: str) -> Iterator[None]:
        """psycopg's errors within it become ours, which name `what`."""
        unchanged = "the table is as it was"
        try:
            yield
        except (pg.LockNotAvailable, pg.DeadlockDetected) as error:
            raise Busy(f"{what}: somebody held the table too long, {unchanged}") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise ConnectionLost(f"{what}: PostgreSQL did not answer: {_line(error)}") from error
        except psycopg.Error as error:
            raise LoadFailed(f"{what}: PostgreSQL refused, {unchanged}: {_line(error)}") from error
        except LoadFailed as error:
            raise LoadFailed(f"{what}: {error}, {unchanged}") from error

    def create(self, session: _Connection) -> None:
        """Make what is missing; IF NOT EXISTS alone fails when two processes create at once."""
        statements = postgres_sql.create_tables()
        if not _missing(session, statements):
            return
        with session.transaction():
            session.execute("SELECT pg_advisory_xact_lock(%s)", [_SCHEMA_LOCK])
            for name in _missing(session, statements):
                session.execute(statements[name])

    def replace(self, session: _Connection, order: Order) -> str:
        """Build the month's partition beside the old one, then swap the two."""
        facts = order.facts
        with tempfile.TemporaryDirectory(prefix="load-", dir=order.work) as folder:
            path = Path(folder) / facts.filename
            _fetch(facts, path)
            with (
                path.open("rb") as file,
                row_ids.of_file(facts.filename, Path(folder)) as ids,
                session.transaction(),
            ):
                stream = postgres_rows.stream(rows.data_blocks(file), order.taxi, ids)
                table = _build(session, order, stream)
                job = _transaction_id(session)
                _swap(session, order.taxi, order.month, table)
                entry = Entry.new(
                    order.taxi.name, order.month, facts, job, order.execution_id, order.started
                )
                # Without the last, loaded_at: that is the server's clock
                session.execute(postgres_sql.insert_ledger("clock_timestamp()"),
                                entry.values()[:-1])  # fmt: skip
        return job

    def months(
        self,
        session: _Connection,
        taxi: Taxi,
        first: Month,
        last: Month,
        *,
        duplicates: bool = False,
    ) -> dict[Month, TableMonth]:
        """One query over the partitions of the range."""
        query = postgres_sql.month_facts(taxi, duplicates=duplicates)
        rows = _query(session, query, first, last)
        return {Month.of(day): TableMonth.read(*row) for day, *row in rows}

    def entries(self, session: _Connection, first: Month, last: Month) -> list[Entry]:
        """One query of the view."""
        rows = _query(session, postgres_sql.ledger_rows(), first, last)
        return [Entry.read(row) for row in rows]

    def record(self, session: _Connection, entry: Entry) -> None:
        """One row, in a transaction of its own unless the session is in one."""
        with session.transaction():
            session.execute(postgres_sql.insert_ledger("%s"), entry.values())


DESTINATION: Destination[_Connection] = Postgres()


def _query(session: _Connection, query: postgres_sql.Query, first: Month, last: Month) -> list[Any]:
    try:
        with session.transaction():  # else a missing table would end the caller's
            return session.execute(query, [first.first_day, last.first_day]).fetchall()
    except pg.UndefinedTable:
        return []


def _line(error: psycopg.Error) -> str:
    """The message with the place in the file (COPY names line and column), in one line."""
    context = (error.diag.context or "") if error.diag else ""
    return " ".join(f"{error} {context if context not in str(error) else ''}".split())


def _missing(session: _Connection, names: Iterable[str]) -> list[str]:
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
    present = {row[0] for row in session.execute(query, [postgres_sql.SCHEMA])}
    return [name for name in names if name not in present]


def _fetch(facts: Facts, path: Path) -> None:
    """The object that extract checked, and no other, to a local file."""
    client = google_clients.storage_client()
    lake_object = lake.download(client, facts.bucket, facts.object_name, facts.generation, path)
    if lake_object.crc32c != facts.crc32c:
        raise LakeConflict(
            f"{facts.object} has CRC32C {lake_object.crc32c}, extract noted {facts.crc32c}: "
            "run extract again"
        )


def _build(session: _Connection, order: Order, stream: Iterator[bytes]) -> str:
    """Fill and index a table of this transaction's own; returns its name."""
    taxi, month, facts = order.taxi, order.month, order.facts
    token = hashlib.sha256(os.urandom(16)).hexdigest()[:12]  # two loads of a month may meet
    table = f"{postgres_sql.partition(taxi, month)}_{token}"
    session.execute(postgres_sql.create_partition(taxi, month, facts.filename, table))
    with session.cursor() as cursor:
        with cursor.copy(postgres_sql.copy_rows(taxi, table)) as copy:
            for block in stream:
                copy.write(block)
        if cursor.rowcount != facts.rows:
            raise LoadFailed(f"{cursor.rowcount} rows arrived, the file has {facts.rows}")
    session.execute(postgres_sql.finish_partition(taxi, table))
    return table


def _transaction_id(session: _Connection) -> str:
    row = session.execute("SELECT pg_current_xact_id()::text").fetchone()
    return f"transaction_{row[0]}"  # type: ignore[index]


@tenacity.retry(
    retry=tenacity.retry_if_exception_type((pg.LockNotAvailable, pg.DeadlockDetected)),
    stop=tenacity.stop_after_attempt(TRIES),
    wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
    reraise=True,
)
def _swap(session: _Connection, taxi: Taxi, month: Month, table: str) -> None:
    """Put the new table in the old one's place; waits for readers, but not for ever.

    A savepoint: when the wait is over, the built table is still there for the next try.
    """
    with session.transaction():
        session.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        # One swap at a time; readers go on until the old partition is detached
        session.execute(postgres_sql.lock_for_swap(taxi))
        attached = session.execute(postgres_sql.is_attached(taxi, month)).fetchone() is not None
        session.execute(postgres_sql.swap(taxi, month, table, attached=attached))
