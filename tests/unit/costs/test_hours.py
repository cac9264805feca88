"""The VM's hours leave no tick of the flows out."""

from __future__ import annotations

import pytest

from taxistack import hours
from taxistack.errors import UsageError


def test_the_ticks_are_those_of_the_flows():
    assert {str(one) for one in hours.ticks()} == {
        f"taxi_to_bigquery/{taxi} at {at}" for taxi, at in (("green", "09:00"), ("yellow", "10:00"))
    } | {
        f"taxi_to_postgres/{taxi} at {at}" for taxi, at in (("green", "09:00"), ("yellow", "10:00"))
    }


@pytest.mark.parametrize("good", ["", "08:00-20:00", "08:45-11:00", "00:00-23:59"])
def test_hours_with_every_tick_in_them_are_taken(good):
    hours.check(good)


@pytest.mark.parametrize(
    ("bad", "missed"),
    [
        ("09:30-20:00", "green at 09:00"),
        ("08:50-20:00", "green at 09:00"),  # the server boots
        ("08:00-10:30", "yellow at 10:00"),  # it would stop in the middle of the load
        ("12:00-20:00", "yellow at 10:00"),
    ],
)
def test_hours_that_miss_a_tick_are_refused_by_its_name(bad, missed):
    with pytest.raises(UsageError, match=missed):
        hours.check(bad)


def test_a_night_within_the_hours_is_refused():
    with pytest.raises(UsageError, match="must begin before it ends"):
        hours.check("20:00-08:00")


def test_the_share_of_the_time():
    assert hours.share("") == 1
    assert hours.share("08:00-20:00") == 0.5


def test_a_cron_that_is_no_time_of_a_day_is_refused(tmp_path):
    text = "id: x\ntriggers: [{id: t, type: a.Schedule, cron: '*/5 * * * *', timezone: UTC}]\n"
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UsageError, match="no one time of the day"):
        list(hours.ticks(tmp_path))
