from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_etl.errors import WrongUse
from taxi_etl.month import Month

MONTHS = st.builds(Month, st.integers(1990, 2100), st.integers(1, 12))


@given(MONTHS)
def test_a_month_is_read_back_from_its_text(month):
    assert Month.parse(str(month)) == month


@given(st.dates())
def test_a_date_is_reduced_to_its_month(day):
    assert Month.parse(day.isoformat()).first_day == day.replace(day=1)


@given(MONTHS)
def test_the_next_month_begins_the_day_after_this_one_ends(month):
    days = (month.next().first_day - month.first_day).days
    assert 28 <= days <= 31
    assert month < month.next()


@given(MONTHS, st.integers(0, 300))
def test_a_range_holds_every_month_once_in_order_with_both_ends(first, steps):
    last = first
    for _ in range(steps):
        last = last.next()
    found = Month.range(first, last)
    assert len(found) == steps + 1
    assert (found[0], found[-1]) == (first, last)
    assert all(a.next() == b for a, b in pairwise(found))


@given(MONTHS, MONTHS)
def test_months_are_ordered_as_their_first_days(one, other):
    assert (one < other) == (one.first_day < other.first_day)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2020",
        "2020-1",
        "2020-13",
        "2020-00",
        "2020-02-30",
        "20-01",
        " 2020-01",
        "\u0662\u0660\u0662\u0660-01",
    ],
)
def test_what_is_no_month_is_refused(text):
    with pytest.raises(WrongUse, match="month"):
        Month.parse(text)


def test_a_range_that_ends_before_it_starts_is_refused():
    with pytest.raises(WrongUse, match=r"ends \(2020-01\) before it starts \(2020-02\)"):
        Month.range(Month(2020, 2), Month(2020, 1))
