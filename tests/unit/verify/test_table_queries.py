"""One query for each table, filtered on constants of the partitioning column."""

from __future__ import annotations

import pytest

from taxi_etl.month import Month
from taxi_etl.schema import TAXIS
from taxistack.verify.tables import bigquery_statement, postgres_statement


@pytest.mark.parametrize("taxi", TAXIS.values(), ids=lambda t: t.name)
def test_bigquery_can_prune_partitions(taxi):
    text = bigquery_statement("p.d.t", taxi, Month(2019, 1), Month(2019, 12), duplicates=False)
    assert "WHERE source_month BETWEEN DATE '2019-01-01' AND DATE '2019-12-01'" in text
    assert "TO_JSON_STRING" not in text


@pytest.mark.parametrize("taxi", TAXIS.values(), ids=lambda t: t.name)
def test_duplicates_compare_every_column_of_the_file(taxi):
    google = bigquery_statement("p.d.t", taxi, Month(2019, 1), Month(2019, 1), duplicates=True)
    postgres = postgres_statement(taxi, duplicates=True)
    columns = ", ".join(column.name for column in taxi.columns)
    assert f"STRUCT({columns})" in google
    assert f"DISTINCT ({columns})" in postgres
