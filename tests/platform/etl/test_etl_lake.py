"""Extract and the lake: bytes as published, once, and never replaced by accident."""

from __future__ import annotations

import base64
import gzip
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import pytest

from taxi_etl import lake
from taxi_etl.errors import LakeConflict


def crc(path):
    """The CRC32C of a file as Cloud Storage writes it."""
    return base64.b64encode(google_crc32c.Checksum(path.read_bytes()).digest()).decode()


def stored(parts, taxi, month):
    """The month's object in the lake."""
    return parts.storage.bucket("lake").get_blob(f"raw/{taxi}/{taxi}_tripdata_{month}.csv.gz")


def test_the_lake_holds_the_bytes_as_published(parts):
    path = parts.publish("yellow", "2016-01")
    ran = parts.extract("yellow", "2016-01")
    assert ran.code == 0, ran.stderr
    blob = stored(parts, "yellow", "2016-01")
    assert blob.download_as_bytes(raw_download=True) == path.read_bytes()
    assert (blob.content_type, blob.content_encoding) == ("application/gzip", None)
    outputs = ran.outputs
    assert outputs["object"] == "gs://lake/raw/yellow/yellow_tripdata_2016-01.csv.gz"
    assert (outputs["generation"], outputs["crc32c"]) == (str(blob.generation), blob.crc32c)
    assert outputs["source_bytes"] == path.stat().st_size
    assert outputs["etag"]


def test_extracting_again_leaves_the_object_alone(parts):
    parts.publish("yellow", "2016-02")
    first = parts.extract("yellow", "2016-02").outputs
    assert parts.extract("yellow", "2016-02").outputs == first


def test_extracting_at_once_makes_one_object(parts):
    parts.publish("yellow", "2016-03", 5000)
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda _: parts.extract("yellow", "2016-03"), range(3)))
    assert [ran.error for ran in runs] == ["", "", ""]
    assert len({ran.outputs["generation"] for ran in runs}) == 1


def test_a_file_that_changed_is_an_error_until_replacing_is_asked_for(parts):
    parts.publish("yellow", "2016-04", 100)
    before = parts.extract("yellow", "2016-04").outputs
    parts.publish("yellow", "2016-04", 101)
    ran = parts.extract("yellow", "2016-04")
    assert ran.code == 1
    assert "the lake holds other bytes as gs://lake/raw/yellow/" in ran.error
    assert ran.error.endswith("Run again with --replace to take the source's")
    assert str(stored(parts, "yellow", "2016-04").generation) == before["generation"]
    after = parts.extract("yellow", "2016-04", "--replace")
    assert after.code == 0, after.stderr
    assert after.outputs["generation"] != before["generation"]
    assert after.outputs["rows"] == 101


def test_other_bytes_of_the_same_size_are_another_object(parts, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"12345")
    other.write_bytes(b"54321")
    first = lake.publish(parts.storage, "lake", "x/same", one, crc(one), replace=False)
    with pytest.raises(LakeConflict, match="the lake holds other bytes"):
        lake.publish(parts.storage, "lake", "x/same", other, crc(other), replace=False)
    assert lake.find(parts.storage, "lake", "x/same") == first


@pytest.mark.parametrize("replace", [False, True])
def test_an_object_that_somebody_made_meanwhile_is_not_overwritten(
    parts, tmp_path, monkeypatch, replace
):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.write_bytes(b"mine")
    theirs.write_bytes(b"theirs")
    name = f"x/meanwhile-{replace}"
    made = lake.publish(parts.storage, "lake", name, theirs, crc(theirs), replace=False)
    seen = iter([None])  # what was there when we looked first
    look = lake._present
    monkeypatch.setattr(lake, "_present", lambda *asked: next(seen, look(*asked)))
    with pytest.raises(LakeConflict, match="was changed by somebody else during the upload"):
        lake.publish(parts.storage, "lake", name, mine, crc(mine), replace=replace)
    assert lake.find(parts.storage, "lake", name) == made


@pytest.mark.parametrize(("destination", "taxi"), [("postgres", "green"), ("bigquery", "yellow")])
def test_a_load_of_facts_whose_object_was_replaced_is_refused(parts, destination, taxi):
    month = "2016-07"
    parts.publish(taxi, month, 100)
    parts.loaded(taxi, month, destination)
    before = parts.month(destination, taxi, month)
    facts = parts.facts[taxi, month]
    parts.publish(taxi, month, 101)
    assert parts.extract(taxi, month, "--replace").code == 0
    ran = parts.run(
        "load", taxi, month, *parts.flags(destination, "late"), TAXI_FACTS=facts
    )  # fmt: skip
    assert ran.code == 1
    assert "it was replaced or deleted after extract. Run extract again" in ran.error
    assert parts.month(destination, taxi, month) == before


def test_a_missing_bucket_is_named(parts):
    parts.publish("yellow", "2016-05")
    ran = parts.run(
        "extract", "yellow", "2016-05", "--source", parts.source, "--bucket", "no-such-bucket"
    )
    assert ran.code == 1
    assert "the bucket gs://no-such-bucket does not exist" in ran.error


def test_a_month_that_the_site_does_not_have_is_not_published(parts):
    ran = parts.extract("yellow", "2099-01")
    assert (ran.code, ran.outputs["published"], ran.stderr) == (0, False, "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>Sign in</html>", "not a gzip file: it begins with '<html>"),
        (gzip.compress(b"a,b\n1,2\n"), "wrong header: column 1 is 'a', not 'VendorID'"),
        (gzip.compress(b"x" * 5000)[:-9], "truncated"),
    ],
    ids=["a page", "another table", "an early end"],  # gzip's bytes hold the time: no name
)
def test_a_bad_file_never_reaches_the_lake(parts, body, message):
    path = parts.publish("yellow", "2016-06")
    path.write_bytes(body)
    ran = parts.extract("yellow", "2016-06")
    assert ran.code == 1
    assert message in ran.error
    assert ran.error.startswith(f"extract yellow 2016-06: {parts.source}/yellow/")
    assert len(ran.stderr.splitlines()) == 1
    assert stored(parts, "yellow", "2016-06") is None
