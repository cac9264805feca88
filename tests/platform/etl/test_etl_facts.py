"""What a destination says of a month is what its file says, counted here in plain Python."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from taxi_etl import destinations, release, sample
from taxi_etl.compare import TableMonth
from taxi_etl.destinations.bigquery import Warehouse
from taxi_etl.destinations.bigquery_sql import Place
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Taxi

from .conftest import DATASET, PROJECT, STAGING

MONTH = Month(2016, 2)  # of no other test here
each_destination = pytest.mark.parametrize("destination", ["bigquery", "postgres"])


@contextmanager
def session_of(parts, destination: str) -> Iterator[Any]:
    """A session as the operator's side opens it."""
    if destination == "bigquery":
        yield Warehouse(parts.bigquery, Place(PROJECT, DATASET, STAGING))
        return
    with parts.postgres() as connection:
        yield connection


def odd_rows(taxi: Taxi) -> list[list[str]]:
    """Rows of which some are negative, zero, stray, twice there, or empty in places."""
    text = b"".join(sample.text(taxi, MONTH, 40)).decode()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    pickup = taxi.place(taxi.pickup)
    rows[1][pickup] = ""
    rows[2][pickup] = "2016-03-01 00:00:00"
    rows[3][pickup] = "2015-02-28 23:59:59"
    rows[4][pickup] = "2016-02-29 23:59:59"
    rows[6] = list(rows[5])
    rows[7] = list(rows[5])
    for number, names in ((8, taxi.block), (9, taxi.block[:1]), (10, taxi.block[1:])):
        for name in names:
            rows[number][taxi.place(name)] = ""
    if taxi.measure:
        for number, amount in ((11, "-0.01"), (12, "0"), (13, ""), (14, "-3.50")):
            rows[number][taxi.place(taxi.measure)] = amount
    return rows


def meant(taxi: Taxi, rows: list[list[str]]) -> TableMonth:
    """The same facts, by the words of `TableMonth`."""
    pickups = [row[taxi.place(taxi.pickup)] for row in rows]
    amounts = [row[taxi.place(taxi.measure)] for row in rows] if taxi.measure else []
    lines = [",".join(row) for row in rows]
    seen: Counter[str] = Counter()
    fingerprint = 0
    for line in lines:
        text = f"{release.file_name(taxi.name, MONTH)}|{line}|{seen[line]}"
        fingerprint += int(hashlib.md5(text.encode()).hexdigest()[:9], 16)
        seen[line] += 1
    return TableMonth(
        rows=len(rows),
        total_amount=sum((Decimal(amount or 0) for amount in amounts), Decimal(0)),
        distinct_ids=len(rows),
        fingerprint=fingerprint,
        null_pickups=pickups.count(""),
        strays=sum(bool(pickup) and not pickup.startswith(str(MONTH)) for pickup in pickups),
        null_block=sum(all(not row[taxi.place(name)] for name in taxi.block) for row in rows),
        negatives=sum(Decimal(amount or 0) < 0 for amount in amounts),
        duplicates=len(lines) - len(seen),
    )


@each_destination
@pytest.mark.parametrize("taxi", ["fhv", "green"])
def test_a_month_is_counted_as_its_file_is(parts, destination, taxi):
    series = TAXIS[taxi]
    rows = odd_rows(series)
    path = parts.publish(taxi, str(MONTH), 1)
    path.write_bytes(gzip.compress("\n".join([series.header, *map(",".join, rows), ""]).encode()))
    parts.loaded(taxi, str(MONTH), destination)
    assert parts.load(taxi, str(MONTH), destination, execution="second").code == 0
    wanted = meant(series, rows)
    assert min(wanted.strays, wanted.null_pickups, wanted.null_block, wanted.duplicates or 0) > 0
    place = destinations.get(destination)
    with session_of(parts, destination) as session:
        found = place.months(session, series, MONTH, MONTH, duplicates=True)
        assert found == {MONTH: wanted}
        found = place.months(session, series, MONTH, MONTH)
        assert found == {MONTH: replace(wanted, duplicates=None)}
        assert place.months(session, series, MONTH.next(), MONTH.next()) == {}
        (entry,) = [one for one in place.entries(session, MONTH, MONTH) if one.taxi == taxi]
    assert (entry.execution_id, entry.rows) == ("second", len(rows))
    assert entry.total_amount == wanted.total_amount


@each_destination
def test_what_a_ledger_row_says_comes_back_as_it_was_whatever_is_in_it(parts, destination):
    taxi, month = "green", MONTH.next()
    parts.publish(taxi, str(month), 20)
    parts.loaded(taxi, str(month), destination)
    place = destinations.get(destination)
    with session_of(parts, destination) as session:
        (before,) = [one for one in place.entries(session, month, month) if one.taxi == taxi]
        odd = replace(
            before,
            etag='W/"it\'s a \\ mark" -- {} %s ?',
            total_amount=Decimal("1E+5"),
            loaded_at=datetime(2040, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
        )
        place.record(session, odd)
        (after,) = [one for one in place.entries(session, month, month) if one.taxi == taxi]
        assert after == odd
        place.record(session, replace(odd, loaded_at=before.started_at))
        assert place.entries(session, month, month).count(odd) == 1
