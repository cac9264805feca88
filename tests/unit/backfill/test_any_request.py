"""Whatever stands behind the flags of a range: a request, or the flag and its rule."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from taxi_etl.month import Month
from taxistack.backfill.planner import MOST_PARALLEL, Only, Order, Request
from taxistack.backfill.state import DESTINATIONS, TAXIS
from taxistack.errors import UsageError

MONTHS = st.builds(Month, st.integers(1990, 2100), st.integers(1, 12)).map(str)
LISTS = st.lists(
    st.sampled_from([*TAXIS, *DESTINATIONS, *Only, *Order, "all", "", " green "]), max_size=3
).map(",".join)
FLAGS = st.fixed_dictionaries(
    {"start": MONTHS | st.text(), "end": MONTHS | st.text()},
    optional={
        "taxi": LISTS | st.text(),
        "destination": LISTS | st.text(),
        "only": LISTS | st.text(),
        "order": LISTS | st.text(),
        "parallel": st.integers(-3, 20),
    },
)


@given(FLAGS)
def test_any_flags_are_a_request_or_one_of_them_is_named(flags):
    try:
        request = Request.parse(**flags)
    except UsageError as error:
        request, told = None, error.message
    if request is None:
        named = re.match(r"--(\w+)", told)
        assert named, told
        assert named.group(1) in {"start", "end", *flags}
        return
    assert request.start <= request.end
    assert 1 <= request.parallel <= MOST_PARALLEL
    assert set(request.taxis) <= set(TAXIS)
    assert set(request.destinations) <= set(DESTINATIONS)
    assert request.taxis
    assert request.destinations
    assert request.only


@given(MONTHS, MONTHS)
def test_a_range_holds_every_month_between_its_ends_once(one, other):
    start, end = sorted((one, other))
    grid = Request.parse(start, end, taxi="green", destination="postgres").grid()
    first, last = Month.parse(start), Month.parse(end)
    assert len(grid) == 12 * (last.year - first.year) + last.number - first.number + 1
    assert (grid[0].month, grid[-1].month) == (first, last)
    assert len(set(grid)) == len(grid)
