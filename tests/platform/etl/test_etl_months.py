"""A month from the release site to the tables, and what must not happen on the way."""

from __future__ import annotations

import gzip
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal

import pytest

DESTINATIONS = ("bigquery", "postgres")
each_destination = pytest.mark.parametrize("destination", DESTINATIONS)


@each_destination
def test_a_month_is_loaded_and_proven(parts, destination):
    parts.publish("yellow", "2019-08", 2000)
    parts.loaded("yellow", "2019-08", destination)
    ran = parts.reconcile("yellow", "2019-08", destination)
    assert ran.code == 0, ran.stderr
    assert ran.outputs["rows"] == 2000
    assert ran.outputs["source_compared"] is True
    assert ran.outputs["strays"] == 1, "the sample has one"
    assert ran.stderr == ""


@each_destination
def test_loading_twice_changes_nothing_but_the_time_of_the_load(parts, destination):
    parts.publish("green", "2019-09", 500)
    parts.loaded("green", "2019-09", destination)
    before = parts.month(destination, "green", "2019-09")
    ids = parts.ids(destination, "green", "2019-09")
    ran = parts.load("green", "2019-09", destination, execution="again")
    assert ran.code == 0, ran.stderr
    after = parts.month(destination, "green", "2019-09")
    assert before[:3] == after[:3]
    assert before[3] < after[3]
    assert parts.ids(destination, "green", "2019-09") == ids
    entries = "SELECT count(*) FROM {} WHERE taxi = 'green' AND month = DATE '2019-09-01'"
    assert parts.query(destination, entries.format("loads")) == [(2,)]
    assert parts.query(destination, entries.format("loads_current")) == [(1,)]


def test_both_destinations_give_every_row_the_same_id_duplicates_included(parts):
    path = parts.publish("yellow", "2019-10", 400)
    lines = gzip.decompress(path.read_bytes()).splitlines()[1:]
    assert len(set(lines)) < len(lines), "the sample has an exact duplicate"
    for destination in DESTINATIONS:
        parts.loaded("yellow", "2019-10", destination)
    ids = parts.ids("postgres", "yellow", "2019-10")
    assert len(ids) == 400
    assert parts.ids("bigquery", "yellow", "2019-10") == ids


@each_destination
def test_the_real_october_has_the_published_figures(parts, destination, real_months):
    name = "green/green_tripdata_2020-10.csv.gz"
    (parts.releases / "green").mkdir(exist_ok=True)
    (parts.releases / name).write_bytes((real_months / "releases" / name).read_bytes())
    parts.loaded("green", "2020-10", destination)
    rows, total, ids, _ = parts.month(destination, "green", "2020-10")
    assert (rows, total, ids) == (95120, Decimal("2196773.09"), 95120)
    assert parts.reconcile("green", "2020-10", destination).outputs["strays"] == 9


@each_destination
def test_four_months_of_one_table_load_at_once(parts, destination):
    months = [f"2018-0{number}" for number in (1, 2, 3, 4)]
    for month in months:
        parts.publish("yellow", month, 3000)

    def whole(month: str) -> str:
        for ran in (
            parts.extract("yellow", month),
            parts.load("yellow", month, destination),
            parts.reconcile("yellow", month, destination),
        ):
            if ran.code:
                return ran.error
        return ""

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(whole, months)) == [""] * 4


@each_destination
def test_a_load_that_fails_leaves_the_old_month(parts, destination):
    """Fewer rows arrive than extract counted: nothing of them is published."""
    parts.publish("green", "2019-11", 100)
    parts.loaded("green", "2019-11", destination)
    before = parts.month(destination, "green", "2019-11")
    ids = parts.ids(destination, "green", "2019-11")
    facts = json.loads(parts.facts["green", "2019-11"]) | {"rows": 101}
    flags = parts.flags(destination, "bad")
    ran = parts.run("load", "green", "2019-11", *flags, TAXI_FACTS=json.dumps(facts))
    assert ran.code == 1
    assert ran.error.startswith("load green 2019-11: ")
    assert "the table is as it was" in ran.error
    assert "the file has 101" in ran.error
    assert parts.month(destination, "green", "2019-11") == before
    assert parts.ids(destination, "green", "2019-11") == ids


@each_destination
def test_a_row_without_a_pickup_time_is_loaded_and_proven(parts, destination):
    """The source has it too."""
    path = parts.publish("yellow", "2012-06", 100)
    lines = gzip.decompress(path.read_bytes()).split(b"\r\n")
    fields = lines[3].split(b",")
    lines[3] = b",".join([fields[0], b"", *fields[2:]])
    path.write_bytes(gzip.compress(b"\r\n".join(lines), mtime=0))
    parts.loaded("yellow", "2012-06", destination)
    ran = parts.reconcile("yellow", "2012-06", destination)
    assert (ran.code, ran.outputs.get("null_pickups")) == (0, 1), ran.stderr


@each_destination
def test_every_shape_of_file_that_extract_takes_is_loaded(parts, destination):
    """LF, no last line end, several gzip members, UTF-8 and every form of a number."""
    path = parts.publish("yellow", "2012-07", 50)
    text = gzip.decompress(path.read_bytes()).replace(b"\r\n", b"\n").rstrip()
    text = text.replace(b",N,", ",é,".encode(), 1)
    rows = text.split(b"\n")
    for at, amount in enumerate((b"5.", b"-.5", b"1.123456789", b"-0", b"00012.10", b""), 1):
        fields = rows[at].split(b",")
        fields[10] = amount
        rows[at] = b",".join(fields)
    text = b"\n".join(rows)
    path.write_bytes(gzip.compress(text[:900], mtime=0) + gzip.compress(text[900:], mtime=0))
    parts.loaded("yellow", "2012-07", destination)
    ran = parts.reconcile("yellow", "2012-07", destination)
    assert (ran.code, ran.outputs.get("rows")) == (0, 50), ran.stderr


@pytest.mark.parametrize(
    "pickup", ["2012-08-06 10:00:00-05", "03-04-12 10:00:00", "03-04-2012 10:00:00"]
)
def test_a_time_of_two_readings_is_refused_and_the_lake_untouched(parts, pickup):
    path = parts.publish("yellow", "2012-08", 20)
    lines = gzip.decompress(path.read_bytes()).split(b"\r\n")
    fields = lines[2].split(b",")
    lines[2] = b",".join([fields[0], pickup.encode(), *fields[2:]])
    path.write_bytes(gzip.compress(b"\r\n".join(lines), mtime=0))
    ran = parts.extract("yellow", "2012-08")
    assert ran.code == 1
    assert f"line 3 has the tpep_pickup_datetime '{pickup}': not a date and time" in ran.error
    name = "raw/yellow/yellow_tripdata_2012-08.csv.gz"
    assert parts.storage.bucket("lake").get_blob(name) is None


def test_nothing_is_left_behind_by_loads_that_fail_or_succeed(parts, tmp_path):
    parts.publish("green", "2019-12", 100)
    parts.extract("green", "2019-12", "--replace")
    for destination in DESTINATIONS:
        flags = parts.flags(destination, "left")
        work = ["--work", str(tmp_path)]
        facts = parts.facts["green", "2019-12"]
        assert parts.run("load", "green", "2019-12", *flags, *work, TAXI_FACTS=facts).code == 0
    assert list(tmp_path.iterdir()) == []
    assert list(parts.bigquery.list_tables("taxi-bench.trips_staging")) == []
    strangers = parts.query(
        "postgres",
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(yellow|green)_'"
        " AND oid NOT IN (SELECT inhrelid FROM pg_inherits)",
    )
    assert strangers == []


def test_a_killed_load_leaves_the_old_month_and_the_next_one_succeeds(parts, tmp_path):
    parts.publish("yellow", "2017-01", 30_000)
    parts.loaded("yellow", "2017-01", "postgres")
    before = parts.month("postgres", "yellow", "2017-01")
    with closing(parts.postgres()) as holder, holder.transaction():
        # somebody reads for a long time: the swap has to wait, and is killed while it does
        holder.execute("LOCK TABLE yellow_tripdata IN ACCESS SHARE MODE")
        flags = [*parts.flags("postgres", "killed"), "--work", str(tmp_path)]
        load = subprocess.Popen(
            parts.command("load", "yellow", "2017-01", *flags),
            env={**parts.environment, "TAXI_FACTS": parts.facts["yellow", "2017-01"]},
            stdout=subprocess.DEVNULL,
        )
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while parts.query("postgres", waiting) == [(0,)]:
            assert load.poll() is None
        load.kill()
        load.wait()
    assert parts.month("postgres", "yellow", "2017-01") == before
    assert parts.load("yellow", "2017-01", "postgres", execution="next").code == 0


def test_a_partition_that_was_detached_or_dropped_by_hand_is_loaded_again(parts):
    parts.publish("green", "2017-02", 100)
    parts.loaded("green", "2017-02", "postgres")
    name = "green_tripdata_2017_02"
    parts.query("postgres", f"ALTER TABLE green_tripdata DETACH PARTITION {name}")
    assert (
        "table: no row of this month, 100 were loaded"
        in parts.reconcile("green", "2017-02", "postgres").error
    )
    assert parts.load("green", "2017-02", "postgres").code == 0
    assert parts.reconcile("green", "2017-02", "postgres").code == 0
    parts.query("postgres", f"DROP TABLE {name}")
    assert parts.load("green", "2017-02", "postgres").code == 0
    assert parts.reconcile("green", "2017-02", "postgres").code == 0


@each_destination
def test_reconcile_names_each_difference(parts, destination):
    path = parts.publish("green", "2017-03", 100)
    parts.loaded("green", "2017-03", destination)
    delete = (
        "DELETE FROM green_tripdata WHERE source_month = DATE '2017-03-01' "
        "AND unique_row_id IN (SELECT min(unique_row_id) FROM green_tripdata "
        "WHERE source_month = DATE '2017-03-01')"
    )
    parts.query(destination, delete)
    blob = parts.storage.bucket("lake").blob("raw/green/green_tripdata_2017-03.csv.gz")
    blob.upload_from_string(b"other")
    path.write_bytes(path.read_bytes() + b"\0")
    ran = parts.reconcile("green", "2017-03", destination)
    assert ran.code == 1
    assert len(ran.stderr.splitlines()) == 1
    for difference in ("source: the source has", "lake: 5 bytes", "lake: CRC32C",
                       "rows: 99 in the table, 100 loaded (-1)", "total_amount: "):  # fmt: skip
        assert difference in ran.error
    blob.delete()
    path.unlink()
    parts.query(destination, "DELETE FROM loads WHERE month = DATE '2017-03-01'")
    ran = parts.reconcile("green", "2017-03", destination)
    for difference in ("does not exist any more", "is not there", "ledger: has no row"):
        assert difference in ran.error
