"""One query for each table, filtered on constants of the partitioning column."""

from __future__ import annotations

from datetime import date

import pytest

from taxi_etl.destinations import bigquery_sql, postgres_sql
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

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
