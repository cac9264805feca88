"""The local warehouse's transactions: all or nothing, and no copies left behind."""

from __future__ import annotations

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError

TABLE = "`taxi-bench.trips.transactions`"


@pytest.fixture
def table(parts):
    parts.query("bigquery", f"CREATE TABLE {TABLE} (a INT64)")
    parts.query("bigquery", f"INSERT INTO {TABLE} VALUES (1)")
    yield parts
    parts.query("bigquery", f"DROP TABLE {TABLE}")


def held(parts):
    return parts.query("bigquery", f"SELECT a FROM {TABLE} ORDER BY a")


def test_a_transaction_that_fails_half_way_changes_nothing(table):
    with pytest.raises(BadRequest):
        table.query(
            "bigquery",
            f"BEGIN TRANSACTION; DELETE FROM {TABLE} WHERE a = 1; "
            f"INSERT INTO {TABLE} SELECT CAST('x' AS INT64); COMMIT TRANSACTION;",
        )
    assert held(table) == [(1,)]


@pytest.mark.parametrize(("end", "rows"), [("COMMIT", [(2,)]), ("ROLLBACK", [(1,)])])
def test_a_transaction_ends_as_it_says(table, end, rows):
    table.query(
        "bigquery",
        f"BEGIN TRANSACTION; DELETE FROM {TABLE} WHERE a = 1; INSERT INTO {TABLE} VALUES (2); "
        f"{end} TRANSACTION;",
    )
    assert held(table) == rows


def test_a_script_that_handles_its_errors_keeps_what_it_changed_before_them(table):
    table.query(
        "bigquery",
        f"BEGIN BEGIN TRANSACTION; INSERT INTO {TABLE} VALUES (3); SELECT ERROR('x'); "
        "COMMIT TRANSACTION; EXCEPTION WHEN ERROR THEN SELECT 1; END;",
    )
    assert held(table) == [(1,), (3,)]


def test_an_earlier_state_of_a_table_is_refused(table):
    with pytest.raises(GoogleAPICallError, match="FOR SYSTEM_TIME AS OF works in BigQuery only"):
        table.query(
            "bigquery",
            f"SELECT * FROM {TABLE} FOR SYSTEM_TIME AS OF "
            "TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 MINUTE)",
        )
