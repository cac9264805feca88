"""The warehouse's DuckDB, once it is closed: its own folders, and nothing else of the machine."""

from __future__ import annotations

import shutil
from importlib.metadata import PackagePath
from pathlib import Path

import duckdb
import pytest

from localcloud.errors import CloudError
from localcloud.warehouse import CONFIG, close, spatial
from localcloud.warehouse_csv import literal

secret = [1, 2, 3]  # a variable of this process, which DuckDB would read as a table


@pytest.fixture
def closed(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    lake = tmp_path / "it's a lake"
    lake.mkdir()
    (lake / "x.csv").write_text("a\n1\n")
    (tmp_path / "y.csv").write_text("a\n2\n")
    connection = duckdb.connect(str(tmp_path / "warehouse.duckdb"), config=CONFIG)
    close(connection, [lake])
    return connection


def test_its_folders_are_open(closed, tmp_path: Path):
    lake = tmp_path / "it's a lake"
    path = str(lake / "x.csv")
    assert closed.execute("SELECT * FROM read_csv(?)", [path]).fetchall() == [(1,)]
    closed.execute("CREATE TABLE t AS SELECT 1 AS a")
    closed.execute("CHECKPOINT")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{outside}/y.csv')",
        "SELECT * FROM '{outside}/y.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_csv('{outside}/it''s a lake/../y.csv')",
        "COPY (SELECT 1) TO '{outside}/z.csv'",
        "ATTACH '{outside}/z.duckdb'",
        "EXPORT DATABASE '{outside}/z'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET temp_directory = '/etc'",
        "INSTALL httpfs",
        "LOAD '{outside}/z.duckdb_extension'",
        "SELECT * FROM secret",
    ],
)
def test_everything_else_is_shut(closed, tmp_path: Path, statement: str):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(duckdb.Error):
        closed.execute(statement.format(outside=tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_an_extension_that_somebody_put_into_the_lake_is_not_loaded(closed, tmp_path: Path):
    # One that DuckDB would load before it is closed: nothing but `close` keeps it out.
    planted = tmp_path / "it's a lake" / spatial().name
    planted.hardlink_to(copied(tmp_path))
    with pytest.raises(duckdb.PermissionException, match="disabled"):
        closed.execute(f"LOAD {literal(str(planted))}")


def test_its_own_extension_is_loaded():
    connection = duckdb.connect(config=CONFIG)
    connection.execute(f"LOAD {literal(str(spatial()))}")
    assert connection.execute("SELECT ST_AsText(ST_Point(1, 2))").fetchone() == ("POINT (1 2)",)


def test_an_extension_with_other_bytes_is_refused(tmp_path: Path, monkeypatch):
    damaged = copied(tmp_path)
    with damaged.open("r+b") as file:
        file.write(b"x")
    monkeypatch.setattr(PackagePath, "locate", lambda _: damaged)
    with pytest.raises(CloudError, match="is damaged"):
        spatial()


def copied(folder: Path) -> Path:
    return Path(shutil.copy(spatial(), folder / "copied"))
