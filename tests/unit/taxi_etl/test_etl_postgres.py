"""The PostgreSQL side without a server: what it asks, what it counts, how it tells errors."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import psycopg
import pytest
import tenacity
from psycopg import errors as pg

from taxi_etl import lake, rows
from taxi_etl.destinations import Order, postgres, postgres_sql
from taxi_etl.errors import Busy, LakeConflict, LoadFailed, Transient
from taxi_etl.facts import Facts
from taxi_etl.lake import LakeObject
from taxi_etl.ledger import Entry
from taxi_etl.load import load
from taxi_etl.month import Month
from taxi_etl.schema import LEDGER_COLUMNS, TAXIS, Kind

GREEN, OCTOBER = TAXIS["green"], Month(2020, 10)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = Facts(
    "green_tripdata_2020-10.csv.gz", "http://s/g", '"e"', "", 1, 2, "ab" * 32, "crc", 3,
    Decimal("2.50"), "lake", "gs://lake/raw/green/green_tripdata_2020-10.csv.gz", 17,
)  # fmt: skip


class Answer:
    """The rows of a statement."""

    def __init__(self, *found):
        self.found = list(found)

    def fetchone(self):
        return self.found[0] if self.found else None

    def fetchall(self):
        return self.found

    def __iter__(self):
        return iter(self.found)


class Connection:
    """Notes the statements; `fails` raise for statements that begin so."""

    def __init__(self, copied=FACTS.rows):
        self.copied = copied
        self.said = []
        self.rolled_back = 0
        self.fails = {}
        self.answers = {"SELECT pg_current_xact_id": Answer(("77",))}

    def execute(self, statement, values=None):
        text = statement if isinstance(statement, str) else statement.as_string(None)
        self.said.append((text, values))
        for start, errors in self.fails.items():
            if text.startswith(start) and errors:
                raise errors.pop(0)
        if "information_schema" in text:
            return Answer(*((name,) for name in postgres_sql.create_tables()))
        return next((a for start, a in self.answers.items() if text.startswith(start)), Answer())

    @contextmanager
    def transaction(self):
        try:
            yield
        except Exception:
            self.rolled_back += 1
            raise

    @contextmanager
    def cursor(self):
        yield SimpleNamespace(copy=self._copy, rowcount=self.copied)

    def _copy(self, statement):
        self.said.append((statement.as_string(None), None))
        return nullcontext(SimpleNamespace(write=lambda block: None))

    def texts(self, start):
        return [text for text, _ in self.said if text.startswith(start)]


@pytest.fixture
def loaded(monkeypatch, tmp_path):
    """Loads the month over a connection, from a lake that has its object."""
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda seconds: None)
    monkeypatch.setattr("taxi_etl.google_clients.storage_client", lambda: None)
    monkeypatch.setattr(rows, "data_blocks", lambda file: [])

    def download(client, bucket, name, generation, path):
        path.write_bytes(b"")
        return LakeObject(bucket, name, 1, "crc", generation)

    monkeypatch.setattr(lake, "download", download)

    def run(connection):
        monkeypatch.setattr(postgres.Postgres, "connect", lambda self: nullcontext(connection))
        order = Order(GREEN, OCTOBER, FACTS, "exec", 1, tmp_path, NOW)
        return load(postgres.DESTINATION, order)

    return run


def test_a_month_is_built_swapped_and_noted_in_this_order(loaded):
    connection = Connection()
    assert loaded(connection).job_id == "transaction_77"
    said = [text for text, _ in connection.said]
    steps = ['CREATE TABLE "public"."green_tripdata_2020_10_', "COPY ", "CREATE INDEX ",
             "LOCK TABLE ", 'DROP TABLE IF EXISTS "public"."green_tripdata_2020_10"',
             'INSERT INTO "public"."loads"']  # fmt: skip
    places = [next(n for n, text in enumerate(said) if text.startswith(one)) for one in steps]
    assert places == sorted(places)
    ((_, values),) = [one for one in connection.said if one[0].startswith("INSERT")]
    assert len(values) == len(LEDGER_COLUMNS) - 1, "loaded_at is the server's clock"
    assert values[:2] == ("green", date(2020, 10, 1))
    assert values[-2:] == ("exec", NOW)


@pytest.mark.parametrize("copied", [FACTS.rows - 1, FACTS.rows + 1, -1])
def test_rows_that_copy_did_not_bring_are_not_published(loaded, copied):
    connection = Connection(copied)
    with pytest.raises(LoadFailed, match=f"{copied} rows arrived, the file has 3, the table is as"):
        loaded(connection)
    assert connection.rolled_back == 1
    assert connection.texts("LOCK TABLE") == connection.texts("INSERT") == []


def test_an_object_with_other_bytes_is_not_loaded(loaded, monkeypatch):
    def download(client, bucket, name, generation, path):
        return LakeObject(bucket, name, 1, "other", generation)

    monkeypatch.setattr(lake, "download", download)
    with pytest.raises(LakeConflict, match="has CRC32C other, extract noted crc"):
        loaded(Connection())


def test_a_held_table_is_tried_again_and_the_built_one_kept(loaded):
    connection = Connection()
    connection.fails = {"LOCK TABLE": [pg.LockNotAvailable(), pg.DeadlockDetected()]}
    loaded(connection)
    assert len(connection.texts("LOCK TABLE")) == 3
    assert len(connection.texts("COPY")) == 1


def test_a_table_that_is_held_for_ever_ends_as_busy(loaded):
    connection = Connection()
    connection.fails = {"LOCK TABLE": [pg.LockNotAvailable()] * 99}
    with pytest.raises(Busy, match="somebody held the table too long, the table is as it was"):
        loaded(connection)
    assert len(connection.texts("LOCK TABLE")) == postgres.TRIES


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (psycopg.OperationalError("server closed"), Transient),
        (psycopg.InterfaceError("closed"), Transient),
        (pg.InvalidDatetimeFormat("bad time"), LoadFailed),
    ],
)
def test_errors_are_told_in_our_words(loaded, error, ours):
    connection = Connection()
    connection.fails = {"COPY": [], "CREATE TABLE": [error]}
    with pytest.raises(ours, match="green_tripdata, month 2020-10: PostgreSQL"):
        loaded(connection)


def test_an_old_partition_is_detached_only_when_it_is_attached(loaded):
    connection = Connection()
    loaded(connection)
    assert connection.texts("ALTER TABLE") == []
    connection = Connection()
    connection.answers["SELECT 1 FROM pg_inherits"] = Answer((1,))
    loaded(connection)
    (swap,) = connection.texts("ALTER TABLE")
    assert swap.startswith('ALTER TABLE "public"."green_tripdata" DETACH PARTITION')


def test_months_and_ledger_are_read_back_and_a_missing_table_is_empty():
    connection = Connection()
    connection.answers["SELECT source_month"] = Answer(
        (date(2020, 10, 1), 3, None, 3, Decimal(77), 0, 1, 2, 1, None)
    )
    entry = Entry.new("green", OCTOBER, FACTS, "job", "exec", NOW)
    connection.answers['SELECT "taxi"'] = Answer(entry.values())
    place = postgres.DESTINATION
    (month,) = place.months(connection, GREEN, OCTOBER, OCTOBER).items()
    assert month[0] == OCTOBER
    assert (month[1].total_amount, month[1].strays, month[1].null_block) == (Decimal(0), 1, 2)
    assert place.entries(connection, OCTOBER, OCTOBER) == [entry]
    connection.fails = {"SELECT": [pg.UndefinedTable(), pg.UndefinedTable()]}
    assert place.months(connection, GREEN, OCTOBER, OCTOBER) == {}
    assert place.entries(connection, OCTOBER, OCTOBER) == []


def test_another_etag_is_noted_as_a_whole_row():
    connection = Connection()
    entry = Entry.new("green", OCTOBER, FACTS, "job", "exec", NOW)
    postgres.DESTINATION.record(connection, entry)
    ((text, values),) = connection.said
    assert text.endswith("%s)")
    assert values == entry.values()


def test_every_kind_of_column_has_a_type_in_every_destination():
    from taxi_etl import destinations

    for name in destinations.MODULES:
        assert set(destinations.get(name).types) == set(Kind)
