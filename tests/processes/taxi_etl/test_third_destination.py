"""A destination that the kit does not have is one file: it loads, reconciles and is verified."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from taxi_etl import cli, destinations, google_clients, lake, sample
from taxi_etl.lake import LakeObject
from taxi_etl.month import EVER, Month
from taxistack.backfill import ledger, sessions
from taxistack.backfill.state import Cell, CellState, SourceFile, State
from taxistack.verify import tables
from taxistack.verify.compare import Known, differences

HERE = Path(__file__).parent
MONTH = Month(2020, 10)
FLAGS = ["--taxi", "green", "--month", "2020-10"]


@pytest.fixture
def stored(monkeypatch, tmp_path):
    """A lake that is a folder."""
    held: dict[str, tuple[LakeObject, Path]] = {}

    def publish(client, bucket, name, path, crc32c, *, replace):
        copy = tmp_path / f"object-{len(held)}"
        shutil.copy(path, copy)
        held[name] = (LakeObject(bucket, name, copy.stat().st_size, crc32c, len(held) + 1), copy)
        return held[name][0]

    def download(client, bucket, name, generation, path):
        shutil.copy(held[name][1], path)
        return held[name][0]

    monkeypatch.setattr(google_clients, "storage_client", lambda project=None: None)
    monkeypatch.setattr(lake, "publish", publish)
    monkeypatch.setattr(lake, "download", download)
    monkeypatch.setattr(lake, "find", lambda client, bucket, name: held[name][0])
    return held


@pytest.fixture
def third(monkeypatch, tmp_path):
    """The destination `sqlite`, registered on both sides; its file."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setitem(destinations.MODULES, "sqlite", "sqlite_destination")
    path = tmp_path / "trips.db"
    monkeypatch.setenv("SQLITE_FILE", str(path))

    def session(context):
        return closing(sqlite3.connect(path, isolation_level=None))

    monkeypatch.setattr(sessions, "SESSIONS", {**sessions.SESSIONS, "sqlite": session})
    return path


def step(capsys, name, *flags):
    code = cli.main([name, *FLAGS, *flags])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out.splitlines()[-1][2:-2])["outputs"]


def known(stored, url):
    """What verify reads of the month."""
    context = SimpleNamespace()
    cell = Cell("green", MONTH, "sqlite")
    entry = ledger.read(context, "sqlite", None, None).get(cell)
    source = SourceFile("green", MONTH, url, True, entry.source_bytes, entry.etag)
    table = tables.read(context, "green", "sqlite", *EVER).get(MONTH)
    state = CellState(cell, State.LOADED, load=entry, source=source)
    ((thing, _),) = stored.values()
    return Known(state, table, thing)


def test_a_third_destination_loads_reconciles_and_is_verified(
    site, third, stored, capsys, tmp_path
):
    assert len((HERE / "sqlite_destination.py").read_text().splitlines()) < 150
    path = tmp_path / "file"
    sample.write(path, "green", MONTH, 800)
    name = "/green/green_tripdata_2020-10.csv.gz"
    site.files[name] = path.read_bytes()
    facts = ["--facts", str(tmp_path / "facts.json")]
    place = ["--destination", "sqlite", *facts]
    extracted = step(capsys, "extract", "--source", site.url, "--bucket", "lake", *facts)
    for _ in range(2):
        loaded = step(capsys, "load", *place, "--work", str(tmp_path))
    assert (loaded["rows"], loaded["total_amount"]) == (800, extracted["total_amount"])
    proven = step(capsys, "reconcile", *place)
    assert (proven["rows"], proven["strays"], proven["source_compared"]) == (800, 1, True)
    url = site.url + name
    found = known(stored, url)
    assert differences(found) == []
    assert found.table.null_block == 360
    cell = found.state.cell
    assert (cell.series.table, cell.place.title) == ("green_tripdata", "SQLite")
    with closing(sqlite3.connect(third)) as connection, connection:
        connection.execute("DELETE FROM green_tripdata WHERE rowid = 5")
    assert {one.check for one in differences(known(stored, url))} >= {"rows"}
    noted = found.state.load.confirmed('"two"')
    ledger.record(SimpleNamespace(), cell, noted)
    assert known(stored, url).state.load == noted
    assert cli.main(["reconcile", *FLAGS, *place]) == 1
    assert "rows: 799 in the table, 800 loaded (-1)" in capsys.readouterr().err
