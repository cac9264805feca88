"""A backup's record, what is compared after a restore, and which backup is meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from taxistack.backups import Backup, Contents, Vault, contents, contents_of, new_name
from taxistack.commands import backup as command
from taxistack.console import Console
from taxistack.errors import FailedError, UsageError
from taxistack.kestra import Execution

HELD = Contents(
    executions=3,
    executions_sha256="aa",
    pairs_sha256={"mine": "11"},
    ledger=2,
    ledger_sha256="bb",
    months={"green 2019-01": "100 1234.50 77"},
)


def made(name: str = "20261127-031500", **values) -> Backup:
    fields = {"stack": "s", "target": "local", "project": "p", "kestra": "2.0.0", "contents": HELD}
    return Backup(**{"name": name, **fields, **values})


def test_a_record_is_read_as_it_was_written():
    assert Backup.parse(made().as_text(), "there") == made()
    assert made().made == datetime(2026, 11, 27, 3, 15, tzinfo=UTC)
    assert new_name(made().made) == made().name


def test_the_watchs_notes_in_an_older_record_are_left_out():
    pairs = {**HELD.pairs_sha256, "tick.taxi_to_postgres.green": "22"}
    older = made(contents=replace(HELD, pairs_sha256=pairs))
    assert Backup.parse(older.as_text(), "there") == made()


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1}', "[]"])
def test_a_record_that_is_not_whole_is_told(text):
    with pytest.raises(FailedError, match="there is no backup's record"):
        Backup.parse(text, "there")


def test_a_record_of_a_later_form_is_refused():
    with pytest.raises(FailedError, match="newer taxistack"):
        Backup.parse(made().as_text().replace('"format": 1', '"format": 2'), "there")


def test_equal_contents_do_not_differ():
    assert HELD.differences(replace(HELD)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"executions": 2}, "executions: 3 in the backup, 2 now"),
        ({"executions_sha256": "cc"}, "executions: as many, but others or in other states"),
        ({"ledger": 1}, "ledger rows: 2 in the backup, 1 now"),
        ({"ledger_sha256": "cc"}, "ledger: as many rows, but others"),
        ({"pairs_sha256": {}}, "KV pair mine differs"),
        (
            {"months": {"green 2019-01": "99 1234.50 77"}},
            "table green 2019-01: 100 1234.50 77 in the backup, 99 1234.50 77 now",
        ),
        ({"months": {}}, "table green 2019-01: 100 1234.50 77 in the backup, nothing now"),
    ],
)
def test_each_difference_is_named(change, said):
    assert HELD.differences(replace(HELD, **change)) == [said]


BEFORE, AFTER = made().made - timedelta(minutes=1), made().made + timedelta(minutes=1)


class Server:
    """A Kestra with these executions and pairs, and an empty warehouse beside it."""

    def __init__(self, pairs: dict[str, str], *began: datetime) -> None:
        runs = [
            Execution(f"e{place}", "taxi", "hello_world", "SUCCESS", created=moment)
            for place, moment in enumerate(began)
        ]
        self.executions = SimpleNamespace(search=lambda page_size: iter(runs))
        self.kv = SimpleNamespace(
            list=lambda namespace: list(pairs), get=lambda namespace, key: pairs[key]
        )

    def kestra(self) -> Server:
        return self


def test_what_schedules_ran_since_the_backup_is_no_difference(monkeypatch):
    monkeypatch.setattr(contents.ledger, "read", lambda *_: {})
    monkeypatch.setattr(contents.tables, "read", lambda *_: {})

    def of(server: Server) -> Contents:
        return contents_of(server, "taxi", ["bucket"], made().made)

    held = of(Server({"mine": "1", "bucket": "a", "tick.taxi_to_postgres.green": "202610"}, BEFORE))
    later = {"mine": "1", "bucket": "b", "tick.taxi_to_postgres.green": "202611"}
    assert held.executions == 1
    assert held.differences(of(Server(later, BEFORE, AFTER))) == []
    assert held.differences(of(Server(later, BEFORE, BEFORE))) == [
        "executions: 1 in the backup, 2 now"
    ]
    assert held.differences(of(Server({**later, "mine": "2"}, BEFORE))) == ["KV pair mine differs"]


class Shelf(Vault):
    """Backups in memory."""

    def __init__(self, *names: str) -> None:
        self._names = list(names)

    def check(self) -> None: ...

    def names(self) -> list[str]:
        return self._names

    def read(self, name: str) -> Backup:
        return made(name)

    def save(self, backup, say) -> str:
        raise NotImplementedError

    def load(self, backup, say) -> None:
        raise NotImplementedError


def test_the_newest_is_meant_where_none_is_named():
    assert Shelf("20260101-000000", "20260102-000000").chosen("latest").name == "20260102-000000"


def test_a_name_that_there_is_not_is_told_with_those_that_there_are():
    with pytest.raises(UsageError, match="must be latest, or one of 20260101-000000"):
        Shelf("20260101-000000").chosen("2026")
    with pytest.raises(UsageError, match="no backup"):
        Shelf().chosen("latest")


def test_one_record_that_is_not_whole_hides_no_other(capsys):
    class Torn(Shelf):
        def read(self, name: str) -> Backup:
            return Backup.parse("{", name) if name.startswith("20260101") else made(name)

    vault = Torn("20260101-000000", "20260102-000000")
    with pytest.raises(FailedError, match="1 backup can't be read: 20260101-000000 is no backup"):
        command.backups(SimpleNamespace(vault=lambda: vault), Console())
    assert "20260102-000000" in capsys.readouterr().out


def test_a_backup_of_a_newer_server_says_how_it_can_be_read():
    there = SimpleNamespace(version=lambda: "1.9.0")
    with pytest.raises(UsageError, match="older server can't read") as told:
        command._refuse_newer(SimpleNamespace(kestra=lambda: there), made())
    assert "setting kestra_version: 2.0.0" in told.value.hint
    assert "from the clone that made it" in told.value.hint
