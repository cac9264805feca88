from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from taxi_etl.compare import Evidence, TableMonth, between, compare, suspicion
from taxi_etl.download import Remote
from taxi_etl.facts import Facts
from taxi_etl.lake import LakeObject
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxi_etl.schema import LEDGER_COLUMNS

FACTS = Facts(
    filename="green_tripdata_2020-10.csv.gz",
    url="http://site/green/green_tripdata_2020-10.csv.gz",
    etag='"one"',
    last_modified="",
    source_bytes=100,
    csv_bytes=400,
    sha256="ab",
    crc32c="Y51l1A==",
    rows=3,
    total_amount=Decimal("12.50"),
    bucket="lake",
    object="gs://lake/raw/green/green_tripdata_2020-10.csv.gz",
    generation=7,
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENTRY = replace(Entry.new("green", Month(2020, 10), FACTS, "job", "execution", NOW), loaded_at=NOW)
EQUAL = Evidence(
    facts=FACTS,
    ledger=ENTRY,
    table=TableMonth(3, Decimal("12.5"), 3, 77, null_pickups=1, strays=1),
    lake=LakeObject("lake", FACTS.object_name, 100, "Y51l1A==", 7),
    source=Remote('"one"', "", 100),
    source_url=FACTS.url,
)


def told(evidence):
    return [str(one) for one in compare(evidence)]


def test_an_entry_has_the_columns_of_the_ledger_in_order():
    assert [column.name for column in LEDGER_COLUMNS] == list(Entry.__dataclass_fields__)
    assert (ENTRY.month, ENTRY.rows, ENTRY.execution_id) == (Month(2020, 10), 3, "execution")
    assert Entry.read(ENTRY.values()) == ENTRY


@pytest.mark.parametrize("facts", [FACTS, None], ids=["with facts", "ledger alone"])
def test_a_month_that_is_the_same_everywhere_has_no_difference(facts):
    assert compare(replace(EQUAL, facts=facts)) == []


@pytest.mark.parametrize(
    ("part", "value", "lines"),
    [
        ("source", None, [f"source: {FACTS.url} does not exist any more"]),
        ("source", Remote('"two"', "", 99), ["source: the source has 99 bytes, 100 were loaded"]),
        ("source", Remote('"two"', "", 100),
         ['source: the source\'s ETag is "two", "one" was loaded']),
        ("source_problem", "http://site: refused",
         ["source: could not be asked: http://site: refused"]),
        ("lake", None, [f"lake: the object {FACTS.object} is not there"]),
        ("lake", replace(EQUAL.lake, size=1, crc32c="x"),
         ["lake: 1 bytes, 100 were loaded", "lake: CRC32C x, Y51l1A== was loaded"]),
        ("ledger", None, ["ledger: has no row of this month"]),
        ("ledger", replace(ENTRY, rows=2, sha256="cd"),
         ["ledger: sha256 is cd, extract found ab", "ledger: rows is 2, extract found 3"]),
        ("ledger", replace(ENTRY, crc32c="x", source_bytes=1, csv_bytes=2),
         ["ledger: crc32c is x, extract found Y51l1A==",
          f"ledger: source_bytes is 1, extract found {FACTS.source_bytes}",
          f"ledger: csv_bytes is 2, extract found {FACTS.csv_bytes}"]),
        ("ledger", replace(ENTRY, total_amount=Decimal("12.51")),
         ["ledger: total_amount is 12.51, extract found 12.50"]),
        ("table", None, ["table: no row of this month, 3 were loaded"]),
        ("table", TableMonth(2, Decimal("12.5"), 2), ["rows: 2 in the table, 3 loaded (-1)"]),
        ("table", TableMonth(4, Decimal("12.5"), 4), ["rows: 4 in the table, 3 loaded (+1)"]),
        ("table", TableMonth(3, Decimal("12.51"), 2),
         ["total_amount: 12.51 in the table, 12.50 loaded",
          "unique_row_id: 2 distinct ids in 3 rows"]),
        ("published_rows", 4, ["published: 4 rows are published, 3 were loaded"]),
    ],
)  # fmt: skip
def test_each_difference_is_named(part, value, lines):
    assert told(replace(EQUAL, **{part: value})) == lines


def test_what_loading_again_can_not_mend_is_not_mendable():
    for part, value in {"source": None, "source_problem": "x", "published_rows": 4}.items():
        assert [one.mendable for one in compare(replace(EQUAL, **{part: value}))] == [False]
    assert all(one.mendable for one in compare(replace(EQUAL, table=None, lake=None)))


@pytest.mark.parametrize(
    "same",
    [
        {"lake": replace(EQUAL.lake, generation=8)},
        {"source": Remote('W/"one"', "", 100)},
        {"source": Remote("", "", None)},
        {"source": Remote('"two"', "", 99, sha256="ab")},
        {"source_url": None, "source": None},
        {"table": replace(EQUAL.table, null_pickups=3, strays=3, negatives=3)},
    ],
    ids=["generation", "weak mark", "no mark", "same bytes", "not asked", "as the source"],
)
def test_bytes_decide_and_what_the_source_has_too_is_no_fault(same):
    assert told(replace(EQUAL, **same)) == []


def test_other_bytes_differ_whatever_the_marks_say():
    assert suspicion(FACTS, Remote('"one"', "", 100, sha256="cd" * 32)) == (
        "the source has other bytes (SHA-256 cdcdcdcdcdcd…) than were loaded"
    )


def test_without_facts_and_ledger_there_is_nothing_to_compare_with():
    bare = replace(EQUAL, facts=None, ledger=None)
    assert told(bare) == ["ledger: has no row, but the table has 3 rows of this month"]
    assert told(replace(bare, table=None)) == ["ledger: has no row of this month"]


def test_sums_that_two_destinations_hold_of_one_file_are_the_same():
    other = replace(EQUAL, table=replace(EQUAL.table, total_amount=Decimal("12.51")))
    assert between(EQUAL, EQUAL, "bigquery") == []
    assert [str(one) for one in between(EQUAL, other, "bigquery")] == [
        "destinations: bigquery has another sum of total_amount"
    ]


def test_another_etag_of_the_same_bytes_is_a_new_row_of_the_same_load():
    noted = ENTRY.confirmed('"two"')
    assert noted.loaded_at - ENTRY.loaded_at == timedelta(microseconds=1)
    assert replace(noted, etag=ENTRY.etag, loaded_at=ENTRY.loaded_at) == ENTRY
