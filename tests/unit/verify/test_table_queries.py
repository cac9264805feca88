"""One query for each table, filtered on constants of the partitioning column."""

from __future__ import annotations

from datetime import date

import pytest

from taxi_etl.destinations import bigquery_sql, postgres_sql
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Column, Kind, Taxi

PLACE = bigquery_sql.Place("p", "d")
YEAR = Month(2019, 1), Month(2019, 12)


@pytest.mark.parametrize("taxi", TAXIS.values(), ids=lambda t: t.name)
def test_bigquery_can_prune_partitions(taxi):
    text = bigquery_sql.month_facts(PLACE, taxi, *YEAR, duplicates=False)
    assert "WHERE source_month BETWEEN DATE '2019-01-01' AND DATE '2019-12-01'" in text
    assert "TO_JSON_STRING" not in text


@pytest.mark.parametrize("taxi", TAXIS.values(), ids=lambda t: t.name)
def test_duplicates_compare_every_column_of_the_file(taxi):
    google = bigquery_sql.month_facts(PLACE, taxi, *YEAR, duplicates=True)
    postgres = postgres_sql.month_facts(taxi, duplicates=True).as_string(None)
    names = [column.name for column in taxi.columns]
    assert f"STRUCT({', '.join(names)})" in google
    quoted = ", ".join(f'"{name.lower()}"' for name in names)
    assert f"DISTINCT ({quoted})" in postgres


def test_a_month_is_read_back_from_any_of_its_days():
    assert Month.of(date(2019, 2, 28)) == Month.of(date(2019, 2, 1)) == Month(2019, 2)


def test_a_series_without_a_measure_is_compared_by_its_rows():
    """For-hire vehicles have no amount: every sum is 0, and another pair marks a null block."""
    columns = tuple(
        Column(name, kind)
        for name, kind in (
            ("dispatching_base_num", Kind.TEXT), ("pickup_datetime", Kind.TIME),
            ("dropOff_datetime", Kind.TIME), ("PUlocationID", Kind.TEXT),
            ("DOlocationID", Kind.TEXT), ("SR_Flag", Kind.CODE),
        )
    )  # fmt: skip
    fhv = Taxi("fhv", columns, "pickup_datetime", None, ("PUlocationID", "DOlocationID"))
    google = bigquery_sql.month_facts(PLACE, fhv, *YEAR, duplicates=True)
    assert "SUM(NUMERIC '0') AS measured" in google
    assert "COUNTIF(PUlocationID IS NULL AND DOlocationID IS NULL)" in google
    postgres = postgres_sql.month_facts(fhv, duplicates=False).as_string(None)
    assert 'FILTER (WHERE "pulocationid" IS NULL AND "dolocationid" IS NULL)' in postgres
    assert "total_amount" not in google + postgres
