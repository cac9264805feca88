from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from taxi_etl.compare import LEDGER, SOURCE, TABLE, Evidence, TableMonth, compare
from taxi_etl.download import Remote
from taxi_etl.facts import Facts
from taxi_etl.lake import LakeObject
from taxi_etl.ledger import Entry, values
from taxi_etl.month import Month
from taxi_etl.schema import LEDGER_COLUMNS, TAXIS

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
ENTRY = Entry(*values(TAXIS["green"], Month(2020, 10), FACTS, "job", "execution", NOW), NOW)
EQUAL = Evidence(
    facts=FACTS,
    ledger=ENTRY,
    table=TableMonth(3, Decimal("12.5"), 3, 0, 1),
    lake=LakeObject("lake", FACTS.object_name, 100, "Y51l1A==", 7),
    source=Remote('"one"', "", 100),
)


def test_an_entry_has_the_columns_of_the_ledger_in_order():
    assert [column.name for column in LEDGER_COLUMNS] == list(Entry.__dataclass_fields__)
    assert (ENTRY.month, ENTRY.rows, ENTRY.execution_id) == (date(2020, 10, 1), 3, "execution")


@pytest.mark.parametrize("facts", [FACTS, None], ids=["with facts", "ledger alone"])
def test_a_month_that_is_the_same_everywhere_has_no_difference(facts):
    assert compare(replace(EQUAL, facts=facts)) == []


@pytest.mark.parametrize(
    ("part", "value", "lines"),
    [
        ("source", None, ["source: the file is no longer published, not there"]),
        ("source", Remote('"two"', "", 99),
         ["source: length is 99, not 100", 'source: ETag is "two", not "one"']),
        ("lake", None, [f"lake: {FACTS.object} is missing, not there"]),
        ("lake", replace(EQUAL.lake, size=1, crc32c="x", generation=8),
         ["lake: size is 1, not 100", "lake: crc32c is x, not Y51l1A==",
          "lake: generation is 8, not 7"]),
        ("ledger", None, ["ledger: the row is missing, not there"]),
        ("ledger", replace(ENTRY, rows=2, sha256="cd"),
         ["ledger: sha256 is cd, not ab", "ledger: rows is 2, not 3"]),
        ("table", None,
         ["table: rows is 0, not 3", "table: total_amount is 0, not 12.5"]),
        ("table", TableMonth(3, Decimal("12.51"), 2),
         ["table: total_amount is 12.51, not 12.5",
          "table: number of distinct unique_row_id is 2, not 3"]),
    ],
)  # fmt: skip
def test_each_difference_is_named(part, value, lines):
    assert [str(one) for one in compare(replace(EQUAL, **{part: value}))] == lines


def test_a_part_that_was_not_asked_is_not_compared():
    asked = frozenset({LEDGER, TABLE})
    assert compare(replace(EQUAL, source=None, lake=None, asked=asked)) == []


def test_a_site_that_tells_neither_length_nor_etag_is_no_difference():
    assert compare(replace(EQUAL, source=Remote("", "", None), asked=frozenset({SOURCE}))) == []


def test_without_facts_and_ledger_there_is_nothing_to_compare_with():
    found = compare(replace(EQUAL, facts=None, ledger=None))
    assert [str(one) for one in found] == ["ledger: the row is missing, not there"]
