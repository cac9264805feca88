"""A third destination: SQLite in a file. Nothing else in the kit knows of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

from taxi_etl import google_clients, lake, row_ids, rows
from taxi_etl.compare import TableMonth
from taxi_etl.destinations import Destination, Order
from taxi_etl.errors import Busy, LoadFailed, WrongUse
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxi_etl.schema import LEDGER, LEDGER_COLUMNS, TAXIS, Kind, Taxi, table_columns

_MILLS = 10**9  # sums are exact in whole numbers of the last decimal


class Sqlite:
    """See `Destination`; a session is a connection."""

    title = "SQLite"
    types = dict.fromkeys(Kind, "TEXT") | dict.fromkeys((Kind.WHOLE, Kind.CODE), "INTEGER")

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        if not (path := os.environ.get("SQLITE_FILE")):
            raise WrongUse("SQLITE_FILE is not set")
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def explaining(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise Busy(f"{what}: {error}") from error
        except sqlite3.Error as error:
            raise LoadFailed(f"{what}: {error}") from error

    def create(self, session: sqlite3.Connection) -> None:
        for taxi in TAXIS.values():
            columns = ", ".join(f"{one.name} {self.types[one.kind]}" for one in table_columns(taxi))
            session.execute(f"CREATE TABLE IF NOT EXISTS {taxi.table} ({columns})")
        columns = ", ".join(one.name for one in LEDGER_COLUMNS)
        session.execute(f"CREATE TABLE IF NOT EXISTS {LEDGER} ({columns})")

    def replace(self, session: sqlite3.Connection, order: Order) -> str:
        taxi, facts = order.taxi, order.facts
        path = order.work / facts.filename
        client = google_clients.storage_client()
        lake.download(client, facts.bucket, facts.object_name, facts.generation, path)
        day, now = str(order.month.first_day), str(datetime.now(UTC))
        slots = ", ".join("?" * len(table_columns(taxi)))
        session.execute("BEGIN IMMEDIATE")
        with path.open("rb") as file, row_ids.of_file(facts.filename, order.work) as ids:
            session.execute(f"DELETE FROM {taxi.table} WHERE source_month = ?", [day])
            for listed in _identified(rows.data_blocks(file), ids):
                session.executemany(
                    f"INSERT INTO {taxi.table} VALUES ({slots})",
                    [(one[0], facts.filename, *(v or None for v in one[1:]), day, now)
                     for one in listed],
                )  # fmt: skip
        job = f"sqlite_{order.execution_id}"
        entry = (taxi.name, order.month, facts, job, order.execution_id, order.started)
        self.record(session, Entry.new(*entry))
        session.execute("COMMIT")
        return job

    def months(
        self,
        session: sqlite3.Connection,
        taxi: Taxi,
        first: Month,
        last: Month,
        *,
        duplicates: bool = False,
    ) -> dict[Month, TableMonth]:
        session.create_function("mills", 1, lambda text: int(Decimal(text or 0) * _MILLS))
        session.create_function("bits", 1, lambda text: int(text[:9], 16))
        block = " AND ".join(f"{name} IS NULL" for name in taxi.block)
        measure = taxi.measure or "NULL"
        found = session.execute(
            f"SELECT source_month, count(*), sum(mills({measure})), count(DISTINCT unique_row_id), "
            f"sum(bits(unique_row_id)), sum({taxi.pickup} IS NULL), "
            f"sum(substr({taxi.pickup}, 1, 7) <> substr(source_month, 1, 7)), sum({block}), "
            f"sum(mills({measure}) < 0), NULL FROM {taxi.table} "
            "WHERE source_month BETWEEN ? AND ? GROUP BY source_month",
            [str(first.first_day), str(last.first_day)],
        )
        return {
            Month.parse(day): TableMonth.read(count, Decimal(total) / _MILLS, *rest)
            for day, count, total, *rest in found
        }

    def entries(self, session: sqlite3.Connection, first: Month, last: Month) -> list[Entry]:
        found = session.execute(
            f"SELECT *, max(loaded_at) FROM {LEDGER} WHERE month BETWEEN ? AND ? "
            "GROUP BY taxi, month",
            [str(first.first_day), str(last.first_day)],
        )
        return [
            Entry.read((taxi, date.fromisoformat(day), *rest, *map(datetime.fromisoformat, times)))
            for taxi, day, *rest, began, loaded, _ in found
            for times in [(began, loaded)]
        ]

    def record(self, session: sqlite3.Connection, entry: Entry) -> None:
        slots = ", ".join("?" * len(LEDGER_COLUMNS))
        values = [v if isinstance(v, int) else str(v) for v in entry.values()]
        session.execute(f"INSERT INTO {LEDGER} VALUES ({slots})", values)


DESTINATION: Destination[sqlite3.Connection] = Sqlite()


def _identified(blocks: Iterator[bytes], ids: row_ids.RowIds) -> Iterator[list[list[str]]]:
    """The rows as lists of an id and the fields, those that waited last."""
    for block in blocks:
        lines = rows.bare_lines(block)
        known, waiting = ids.of(lines)
        yield [
            [known[16 * place : 16 * place + 16].hex(), *line.decode().split(",")]
            for place, line in enumerate(lines)
            if place not in waiting
        ]
    for lines, known in ids.rest():
        yield [
            [one.hex(), *line.decode().split(",")] for one, line in zip(known, lines, strict=True)
        ]
