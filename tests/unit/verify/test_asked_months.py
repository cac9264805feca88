"""Which months verify is about, where its flags leave it to what is loaded."""

from __future__ import annotations

import pytest

from taxi_etl.month import Month
from taxistack.backfill import ledger
from taxistack.backfill.state import TAXIS, Cell
from taxistack.errors import FailedError
from taxistack.verify.verification import VerifyRequest, asked

FIRST, LAST = Month(2019, 1), Month(2019, 12)
BOTH = ("green", "yellow")


@pytest.fixture
def loaded(monkeypatch):
    """Says which months of which series the ledgers have (in BigQuery alone)."""

    def put(*months: tuple[str, Month]) -> None:
        def read(context, where, start, end):
            held = [Cell(taxi, month, where) for taxi, month in months if where == "bigquery"]
            return {one: None for one in held if start is None or start <= one.month <= end}

        monkeypatch.setattr(ledger, "read", read)

    return put


def told(**flags):
    return asked(None, VerifyRequest.parse(**flags))


def test_without_flags_it_is_what_is_loaded_and_nothing_else(loaded):
    loaded(("fhv", Month(2019, 5)))
    assert told() == (Month(2019, 5), Month(2019, 5), ("fhv",))
    loaded(("fhv", Month(2019, 5)), ("yellow", Month(2020, 1)), ("gone", Month(2001, 1)))
    assert told() == (Month(2019, 5), Month(2020, 1), ("fhv", "yellow"))


def test_a_range_without_a_series_has_the_courses_and_what_else_is_loaded_in_it(loaded):
    loaded()
    assert told(start="2019-01", end="2019-12") == (FIRST, LAST, BOTH)
    loaded(("fhv", Month(2019, 12)), ("fhv", Month(2020, 1)))
    assert told(start="2019-01", end="2019-12") == (FIRST, LAST, ("fhv", *BOTH))
    assert told(start="2019-01", end="2019-11") == (FIRST, Month(2019, 11), BOTH)


def test_a_series_that_is_named_is_taken_as_it_is(loaded):
    loaded(("fhv", Month(2019, 5)), ("green", Month(2019, 7)))
    assert told(taxi="green") == (Month(2019, 7), Month(2019, 7), ("green",))
    assert told(start="2019-01", end="2019-12", taxi="all") == (FIRST, LAST, TAXIS)
    with pytest.raises(FailedError, match="no month is loaded"):
        told(taxi="yellow")


def test_with_nothing_loaded_there_is_nothing_to_verify(loaded):
    loaded()
    with pytest.raises(FailedError, match="no month is loaded"):
        told()
