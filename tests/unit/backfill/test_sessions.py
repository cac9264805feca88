"""What a destination refuses is told as the kit does; credentials are for the edge to explain."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import psycopg
import pytest
from google.api_core.exceptions import Forbidden
from google.auth.exceptions import RefreshError

from taxi_etl.month import Month
from taxistack.backfill import ledger
from taxistack.errors import FailedError
from taxistack.verify import tables


def failing(error):
    """A target whose connections fail with that error."""

    def fail(*_, **__):
        raise error

    outputs = SimpleNamespace(project="p", dataset="d", location="EU")
    client = SimpleNamespace(query=fail)
    return SimpleNamespace(
        outputs=outputs, maximum_bytes_billed=7, bigquery=lambda: client, postgres=fail
    )


@pytest.mark.parametrize(
    ("where", "error", "told"),
    [
        ("bigquery", Forbidden("no access"), "the BigQuery ledger: BigQuery refused.*no access"),
        ("postgres", psycopg.OperationalError("closed"),
         "the PostgreSQL ledger: PostgreSQL did not answer: closed"),
    ],
)  # fmt: skip
def test_a_destination_that_refuses_is_named(where, error, told):
    with pytest.raises(FailedError, match=told):
        ledger.read(failing(error), where, None, None)


def test_the_table_is_named_too():
    error = psycopg.OperationalError("closed")
    with pytest.raises(FailedError, match="the PostgreSQL table green_tripdata: "):
        tables.read(failing(error), "green", "postgres", Month(2019, 1), Month(2019, 2))


def test_a_connection_that_is_lost_on_the_way_is_made_again(monkeypatch):
    context, left = failing(None), [psycopg.OperationalError("closed"), None]
    context.postgres = nullcontext

    def months(*_, **__):
        if error := left.pop(0):
            raise error
        return {}

    monkeypatch.setattr("taxi_etl.destinations.postgres.Postgres.months", months)
    asked = ("green", "postgres", Month(2019, 1), Month(2019, 2))
    assert tables.read(context, *asked) == {}
    left[:] = [psycopg.OperationalError("closed")] * 2 + [None]
    with pytest.raises(FailedError, match="did not answer: closed"):
        tables.read(context, *asked)
    left[:] = [psycopg.ProgrammingError("no such column"), None]
    with pytest.raises(FailedError, match="no such column"):
        tables.read(context, *asked)
    assert left == [None], "a refusal is not asked again"


def test_what_is_wrong_with_credentials_stays_googles_own_error():
    with pytest.raises(RefreshError, match="expired"):
        ledger.read(failing(RefreshError("expired")), "bigquery", None, None)


def test_the_stacks_cap_on_billed_bytes_and_its_location_apply_to_each_read():
    asked = []

    def query(statement, job_config, location):
        named = "FROM `p.d.loads_current`" in statement
        asked.append((job_config.maximum_bytes_billed, location, named))
        return SimpleNamespace(result=list)

    context = failing(None)
    context.bigquery = lambda: SimpleNamespace(query=query)
    assert ledger.read(context, "bigquery", None, None) == {}
    assert asked == [(7, "EU", True)]
