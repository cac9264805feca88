import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_etl import facts, release
from taxi_etl.destinations import bigquery_sql
from taxi_etl.destinations.bigquery_sql import Place
from taxi_etl.errors import WrongUse
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

OCTOBER = Month(2020, 10)
VALUES = {
    "published": True, "filename": "green_tripdata_2020-10.csv.gz", "url": "http://s/g",
    "etag": '"e"', "last_modified": "", "source_bytes": 1, "csv_bytes": 2, "sha256": "ab",
    "crc32c": "x", "rows": 3, "total_amount": "2.50", "bucket": "lake",
    "object": "gs://lake/raw/green/green_tripdata_2020-10.csv.gz", "generation": "17",
}  # fmt: skip


def test_files_are_named_as_on_the_release_site_and_in_the_lake():
    assert release.file_name("green", OCTOBER) == "green_tripdata_2020-10.csv.gz"
    url = release.url("https://example.org/download/", "green", OCTOBER)
    assert url == "https://example.org/download/green/green_tripdata_2020-10.csv.gz"
    assert release.object_name("green", OCTOBER) == "raw/green/green_tripdata_2020-10.csv.gz"


@pytest.mark.parametrize("base", ["", "ftp://host", "host/path"])
def test_a_source_that_is_no_http_address_is_refused(base):
    with pytest.raises(WrongUse, match="begins with http:// or https://"):
        release.url(base, "green", OCTOBER)


def test_facts_survive_json_and_templates_that_make_text_of_numbers():
    found = facts.from_json(VALUES)
    assert found.to_json() == VALUES
    assert facts.from_json({name: str(value) for name, value in VALUES.items()}) == found
    assert found.object_name == "raw/green/green_tripdata_2020-10.csv.gz"


def test_facts_of_a_month_that_is_not_published_are_none():
    assert facts.from_json({"published": False, "url": "u"}) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": "many"}, "value of the wrong type"),
        ({"object": "s3://x/y"}, "must begin with gs://"),
        ({"total_amount": "much"}, "value of the wrong type"),
    ],
)
def test_wrong_facts_are_refused(change, message):
    with pytest.raises(WrongUse, match=message):
        facts.from_json({**VALUES, **change})


def test_missing_facts_are_named():
    with pytest.raises(WrongUse, match="the facts lack rows, generation"):
        facts.from_json({k: v for k, v in VALUES.items() if k not in ("rows", "generation")})


def test_facts_come_from_the_file_else_from_the_environment(tmp_path, monkeypatch):
    facts.write(tmp_path / "facts.json", VALUES)
    monkeypatch.setenv("TAXI_FACTS", json.dumps({**VALUES, "rows": 4}))
    assert facts.read(tmp_path / "facts.json").rows == 3
    assert facts.read(None).rows == 4
    monkeypatch.setenv("TAXI_FACTS", "{")
    with pytest.raises(WrongUse, match="not JSON"):
        facts.read(None)
    monkeypatch.delenv("TAXI_FACTS")
    with pytest.raises(WrongUse, match="no facts: give --facts FILE"):
        facts.read(None)


@given(st.text())
def test_text_cannot_end_its_literal(text):
    literal = bigquery_sql.literal(text)
    inside = literal[1:-1].replace("\\\\", "").replace("\\'", "")
    assert (literal[0], literal[-1]) == ("'", "'")
    assert "'" not in inside
    assert not inside.endswith("\\")
    assert literal.isprintable()


def test_the_month_is_deleted_by_a_constant_on_the_partition_column():
    target = Place("project", "trips", "staging")
    text = bigquery_sql.replace_month(target, TAXIS["green"], OCTOBER, "p.s.t", "f", ["x"])
    assert (
        "DELETE FROM `project.trips.green_tripdata` WHERE source_month = DATE '2020-10-01'" in text
    )
    assert text.startswith("BEGIN TRANSACTION;")
    assert text.endswith("COMMIT TRANSACTION;\n")


def test_tables_are_partitioned_by_the_files_month_and_clustered_by_pickup():
    statements = bigquery_sql.create_tables(Place("project", "trips"))
    trips = [taxi.table for taxi in TAXIS.values()]
    assert list(statements) == [*trips, "loads", "loads_current"]
    green = statements["green_tripdata"]
    assert "PARTITION BY DATE_TRUNC(source_month, MONTH)" in green
    assert "CLUSTER BY lpep_pickup_datetime" in green
    assert "`rows` INT64" in statements["loads"]  # a reserved word: quoted
