"""The course's questions are answered from what is loaded, and only from that."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxistack.backfill.state import Cell
from taxistack.homework import Loaded, answer
from taxistack.published_counts import PUBLISHED_COUNTS, PUBLISHED_YEARS
from taxistack.sources import PUBLIC_SOURCE

AT = datetime(2026, 1, 1, tzinfo=UTC)


def loaded(taxi: str, month: str, rows: int, csv_bytes: int = 0, source: str = PUBLIC_SOURCE):
    cell = Cell(taxi, Month.parse(month), "bigquery")
    load = Entry(
        taxi, cell.month, f"{source}/{taxi}/x.csv.gz", "e", 1, csv_bytes, "s", "c", rows,
        Decimal(0), "gs://x", 1, "job", "exec", AT, AT,
    )  # fmt: skip
    return {(taxi, cell.month): Loaded(load, rows)}


def texts(found) -> list[str | None]:
    return [one.answer for one in found.answers]


def test_with_nothing_loaded_the_needed_months_are_named():
    found = answer({})
    assert texts(found) == [
        None, "green_tripdata_2020-04.csv", None, None, None, "timezone: America/New_York",
    ]  # fmt: skip
    needs = [one["needs"] for one in found.to_json()["answers"]]
    assert needs[2] == [f"yellow 2020-{n:02d}" for n in range(1, 13)]
    assert found.answers[2].text == "needs yellow 2020-01 to 2020-12"
    assert found.answers[4].text == "needs yellow 2021-03"
    assert found.summary == "homework: 2 of 6 questions answered"
    assert found.to_json()["published_figures"] is False


def test_a_machine_without_a_list_of_time_zones_answers_too():
    zoneinfo.reset_tzpath(to=[])  # a small container has none
    zoneinfo.ZoneInfo.clear_cache()
    try:
        assert texts(answer({}))[-1] == "timezone: America/New_York"
    finally:
        zoneinfo.reset_tzpath()


def test_every_month_that_is_still_needed_is_named():
    months = {}
    for number in (1, 2, 5, 12):
        months |= loaded("green", f"2020-{number:02d}", 10)
    needed = answer(months).answers[3].text
    assert needed == "needs green 2020-03 to 2020-04, green 2020-06 to 2020-11"


def test_published_months_give_the_published_figures():
    months = {}
    for taxi in ("yellow", "green"):
        for month, rows in PUBLISHED_COUNTS[taxi].items():
            months |= loaded(taxi, month, rows, csv_bytes=134_481_400)
    found = answer(months)
    assert texts(found) == [
        "128.3 MiB", "green_tripdata_2020-04.csv", "24,648,499", "1,734,051", "1,925,152",
        "timezone: America/New_York",
    ]  # fmt: skip
    assert all(one.published in (True, None) for one in found.answers)
    assert found.sources == ()
    assert found.to_json()["published_figures"] is True


def test_sample_months_are_said_not_to_be_the_published_ones():
    found = answer(loaded("yellow", "2021-03", 200, source="http://127.0.0.1:1"))
    assert found.answers[4].answer == "200"
    assert "not the published figure" in found.answers[4].text
    assert "http://127.0.0.1:1" in found.summary
    assert found.to_json()["published_figures"] is False


@pytest.mark.parametrize("taxi", ["yellow", "green"])
def test_the_months_of_2020_sum_to_the_published_year(taxi):
    months = [n for month, n in PUBLISHED_COUNTS[taxi].items() if month.startswith("2020-")]
    assert len(months) == 12
    assert sum(months) == PUBLISHED_YEARS[taxi][2020]


def test_the_counts_are_those_of_the_facts_they_were_made_from(tlc_facts):
    assert tlc_facts == PUBLISHED_COUNTS
