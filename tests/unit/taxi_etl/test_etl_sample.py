import gzip
import hashlib
from collections import Counter
from datetime import datetime
from decimal import Decimal

import pytest

from taxi_etl import sample
from taxi_etl.inspection import inspect
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

AUGUST = Month(2019, 8)


def table(taxi, month, rows):
    """The rows of a sample as dictionaries of text."""
    lines = b"".join(sample.text(TAXIS[taxi], month, rows)).decode().split("\r\n")
    assert lines.pop() == ""
    names = lines[0].split(",")
    return [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]


def test_the_same_month_is_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        sample.write(tmp_path / name, "green", AUGUST, 1000)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_bytes()[4:8] == bytes(4)  # no time stamp


@pytest.mark.parametrize(
    ("taxi", "digest"),
    [
        ("green", "634efd5b9a2fb35ffcd82e09a4076bc37f4b9fcfe763ddd1f1940424ab979c18"),
        ("fhv", "f19dd603768c634629d4cfc2795cbb6836dec832eb9df4497b786646791bb70d"),
        ("yellow", "c159fd362c3143b4b57be537a8dce9f77f06c988d95901bd2739d78a527c99d4"),
    ],
)
def test_the_text_of_a_month_never_changes(taxi, digest):
    # A change here means other bytes under names that a lake may hold already.
    text = b"".join(sample.text(TAXIS[taxi], AUGUST, 5000))
    assert hashlib.sha256(text).hexdigest() == digest


def test_other_months_and_taxis_are_other_trips():
    trips = [
        b"".join(list(sample.text(TAXIS[taxi], month, 50))[1:])
        for taxi in TAXIS
        for month in (AUGUST, AUGUST.next())
    ]
    assert len(set(trips)) == 2 * len(TAXIS)


@pytest.mark.parametrize("taxi", sorted(TAXIS))
@pytest.mark.parametrize("rows", [1, 41, 42, 43, 74, 999, 2000, 2001])
def test_a_sample_has_exactly_the_rows_asked_for_and_passes_extract(taxi, rows, tmp_path):
    path = tmp_path / "f.csv.gz"
    sample.write(path, taxi, Month(2020, 4), rows)
    assert inspect(path, TAXIS[taxi], Month(2020, 4)).rows == rows


def test_the_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def broken(*arguments):
        yield b"half"
        raise OSError("disk full")

    monkeypatch.setattr(sample, "text", broken)
    with pytest.raises(OSError, match="disk full"):
        sample.write(tmp_path / "f.csv.gz", "green", AUGUST, 10)
    assert not (tmp_path / "f.csv.gz").exists()


def test_rows_without_vendor_are_one_block_at_the_end_from_july_2019_on():
    assert all(row["VendorID"] for row in table("green", Month(2019, 6), 1000))
    vendors = [row["VendorID"] for row in table("green", AUGUST, 1000)]
    assert vendors.count("") == 200
    assert all(vendors[:800])
    for row in table("green", AUGUST, 1000)[800:]:
        empty = {name for name, value in row.items() if not value}
        assert empty == {
            "VendorID", "store_and_fwd_flag", "RatecodeID", "passenger_count", "payment_type",
            "trip_type", "congestion_surcharge", "ehail_fee",
        }  # fmt: skip


def test_most_yellow_rows_before_february_2019_lack_the_congestion_surcharge():
    rows = table("yellow", Month(2019, 1), 3000)
    assert 0.55 < sum(not row["congestion_surcharge"] for row in rows) / 3000 < 0.7


def test_a_sample_of_a_few_hundred_rows_shows_every_rare_thing():
    rows = table("yellow", AUGUST, 300)
    lines = Counter(tuple(row.values()) for row in rows)
    assert max(lines.values()) == 2, "an exact duplicate"
    assert any(not row["tpep_pickup_datetime"].startswith("2019-08") for row in rows), "a stray"
    refunds = [at for at, row in enumerate(rows) if row["total_amount"].startswith("-")]
    assert refunds, "a refund"
    for at in refunds:
        assert Decimal(rows[at]["total_amount"]) == -Decimal(rows[at - 1]["total_amount"])
    times = [row["tpep_pickup_datetime"] for row in rows]
    assert times != sorted(times), "not in order of pickup"


def test_numbers_stand_in_all_forms_of_the_real_files():
    rows = table("green", AUGUST, 3000)
    assert any(row["trip_distance"].startswith(".") for row in rows)
    amounts = {row["fare_amount"] for row in rows}
    assert any("." not in amount for amount in amounts)
    assert any("." in amount for amount in amounts)
    assert not any(amount.startswith(("0.0", "-0.0")) for amount in amounts)


@pytest.mark.parametrize("taxi", ["green", "yellow"])
def test_totals_are_the_sum_of_their_parts_and_times_run_forward(taxi):
    parts = ("fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount",
             "improvement_surcharge", "congestion_surcharge")  # fmt: skip
    pickup = TAXIS[taxi].pickup
    for row in table(taxi, AUGUST, 2000):
        assert Decimal(row["total_amount"]) == sum(Decimal(row[part] or 0) for part in parts)
        start = datetime.fromisoformat(row[pickup])
        end = datetime.fromisoformat(row[pickup.replace("pickup", "dropoff")])
        assert abs((end - start).days) <= 1 or start.month != 8


def test_a_sample_of_fhv_shows_what_people_report_of_the_real_files():
    rows = table("fhv", Month(2019, 2), 300)
    bases = [row["dispatching_base_num"] for row in rows]
    assert {"", "\\N"} < set(bases), "missing, in two ways"
    assert any(len(base) == 15 and base.endswith("   ") for base in bases), "filled with blanks"
    assert any(base.startswith("b") for base in bases), "in small letters"
    assert max(Counter(tuple(row.values()) for row in rows).values()) == 2, "an exact duplicate"
    assert [row for row in rows if row["dropOff_datetime"].startswith("3019-02-03")]
    assert {row["pickup_datetime"][:7] for row in rows} == {"2019-02"}
    assert sum(row["PUlocationID"] == "264" for row in rows) > 30


@pytest.mark.parametrize(("month", "nulls"), [(Month(2019, 1), 30), (Month(2019, 12), 0)])
def test_fhv_has_rows_without_zones_but_where_an_unknown_zone_is_264(month, nulls):
    rows = table("fhv", month, 300)
    none = [row for row in rows if not row["PUlocationID"] and not row["DOlocationID"]]
    assert none == rows[:nulls]


@pytest.mark.parametrize("month", [Month(2016, 2), Month(2019, 12), Month(2020, 2)])
def test_fhv_files_have_other_capitals_from_2020_on_and_both_are_read(month, tmp_path):
    header = next(sample.text(TAXIS["fhv"], month, 40)).decode().strip()
    assert ("dropOff_datetime,PUlocationID" in header) == (month < Month(2020, 1))
    sample.write(tmp_path / "f", "fhv", month, 20_100)
    found = inspect(tmp_path / "f", TAXIS["fhv"], month)
    assert (found.rows, found.total_amount) == (20_100, 0)


def test_every_series_has_a_generator():
    assert set(sample.GENERATORS) == set(TAXIS)


def test_the_packed_file_holds_the_text(tmp_path):
    sample.write(tmp_path / "f", "green", AUGUST, 5000)
    text = b"".join(sample.text(TAXIS["green"], AUGUST, 5000))
    assert gzip.decompress((tmp_path / "f").read_bytes()) == text
