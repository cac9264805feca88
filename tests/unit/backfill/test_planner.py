"""The planner runs exactly the wanted cells, each once, in order, whatever the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxistack.backfill.planner import (
    FORCED,
    WANTED,
    LiveBackfill,
    Only,
    Order,
    PastRun,
    Request,
    plan,
)
from taxistack.backfill.sessions import SESSIONS
from taxistack.backfill.state import (
    DESTINATIONS,
    TAXIS,
    Cell,
    CellState,
    RunState,
    SourceFile,
    State,
    state_of,
)
from taxistack.errors import UsageError

MONTHS = st.builds(Month, st.integers(1999, 2031), st.integers(1, 12))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def requests(draw) -> Request:
    first = draw(MONTHS)
    last = first
    for _ in range(draw(st.integers(0, 30))):
        last = last.next()
    some = lambda of: st.lists(st.sampled_from(of), min_size=1, unique=True).map(tuple)  # noqa: E731
    return Request(
        start=first,
        end=last,
        taxis=draw(some(TAXIS)),
        destinations=draw(some(DESTINATIONS)),
        only=frozenset(draw(some(tuple(Only)))),
        order=draw(st.sampled_from(Order)),
        parallel=draw(st.integers(1, 8)),
        force=draw(st.booleans()),
    )


@st.composite
def grids(draw) -> tuple[Request, dict[Cell, CellState]]:
    request = draw(requests())
    return request, {cell: CellState(cell, draw(st.sampled_from(State))) for cell in request.grid()}


@given(grids())
def test_the_plan_runs_exactly_the_wanted_cells_and_none_twice(grid):
    request, states = grid
    steps = plan(request, states, source="http://site").steps
    wanted = set().union(*(WANTED[only] for only in request.only))
    wanted |= FORCED if request.force else set()
    assert len(steps) == len(set(steps))
    assert set(steps) == {cell for cell, found in states.items() if found.state in wanted}


@given(grids())
def test_months_come_in_the_asked_order(grid):
    request, states = grid
    months = [cell.month for cell in plan(request, states, source="http://site").steps]
    assert months == sorted(months, reverse=request.order is Order.NEWEST)


@given(grids())
def test_running_the_plan_leaves_nothing_of_that_kind_to_do(grid):
    request, states = grid
    if Only.ALL in request.only or request.force:
        return  # those reload what is loaded, by design
    steps = plan(request, states, source="http://site").steps
    after = {
        cell: CellState(cell, State.LOADED) if cell in steps else found
        for cell, found in states.items()
    }
    assert plan(request, after, source="http://site").steps == ()


@given(requests())
def test_the_grid_has_every_month_of_every_taxi_and_destination_once(request):
    grid = request.grid()
    months = (request.end.year - request.start.year) * 12
    months += request.end.number - request.start.number + 1
    assert len(grid) == len(set(grid))
    assert len(grid) == months * len(request.taxis) * len(request.destinations)
    assert {cell.month for cell in grid} == set(Month.range(request.start, request.end))


@contextmanager
def timezone_of_the_machine(zone: str) -> Iterator[None]:
    """The machine stands in another timezone for a while."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def planned_from_text(make, first: str, last: str) -> dict:
    """A plan as a command makes it: from flags, ledger rows as drivers give them, and runs."""
    request = Request.parse(first, last)
    grid = request.grid()
    load = Entry.read(make.load(grid[0]).values())
    assert load == make.load(grid[0])
    states = {
        cell: state_of(
            cell,
            load=load if cell == grid[0] else None,
            runs=[make.run(RunState.FAILED, cell=cell)] if cell == grid[-1] else [],
            source=None,
            now=make.now,
        )
        for cell in grid
    }
    return plan(request, states, source="http://site").to_json()


@given(MONTHS, st.sampled_from(sorted(available_timezones())))
@settings(max_examples=200)
def test_the_plan_does_not_depend_on_the_machines_timezone(make, first, zone):
    texts = f"{first}-01", f"{first.next()}-01"
    with timezone_of_the_machine("UTC"):
        here = planned_from_text(make, *texts)
    with timezone_of_the_machine(zone):
        there = planned_from_text(make, *texts)
    assert there == here
    assert {one["month"] for one in there["cells"]} == {str(first), str(first.next())}
    assert there["executions"] == 2 * 2 * len(DESTINATIONS) - 1  # one failed, one loaded


@st.composite
def ledgers(draw):
    """A range, and for each cell whether it has a load, a run, and what the source says."""
    request = draw(requests())
    facts = st.tuples(st.booleans(), st.sampled_from([None, *RunState]), st.booleans())
    return request, {cell: draw(facts) for cell in request.grid()}


@given(ledgers())
@settings(max_examples=50)
def test_over_random_ledgers_only_published_and_unloaded_months_run_by_default(make, drawn):
    request, facts = drawn
    request = Request(request.start, request.end, request.taxis, request.destinations)
    states = {}
    for cell, (loaded, ran, published) in facts.items():
        source = SourceFile(cell.taxi, cell.month, "http://site/x", published, 1000, '"a"')
        states[cell] = state_of(
            cell,
            load=make.load(cell) if loaded else None,
            runs=[make.run(ran, minutes_ago=5, cell=cell)] if ran else [],
            source=source,
            now=make.now,
        )
    steps = set(plan(request, states, source="http://site").steps)
    for cell, (loaded, ran, published) in facts.items():
        busy_or_failed = ran in (RunState.LIVE, RunState.FAILED)
        assert (cell in steps) == (not loaded and published and not busy_or_failed)


def test_sixty_two_months_of_everything_are_planned():
    request = Request(Month(2019, 1), Month(2024, 2))
    states = {cell: CellState(cell, State.MISSING) for cell in request.grid()}
    assert len(plan(request, states, source="http://site").steps) == 62 * 2 * len(DESTINATIONS)


def test_neighbours_load_different_files_into_different_tables():
    request = Request(Month(2019, 1), Month(2019, 2))
    states = {cell: CellState(cell, State.MISSING) for cell in request.grid()}
    steps = plan(request, states, source="http://site").steps
    for one, other in zip(steps[::2], steps[1::2], strict=True):
        assert one.taxi != other.taxi


def test_a_stale_month_is_replaced_in_the_lake():
    request = Request(Month(2019, 1), Month(2019, 1), only=frozenset({Only.FAILED}))
    states = {cell: CellState(cell, State.STALE) for cell in request.grid()}
    assert plan(request, states, source="http://site").replace
    states = {cell: CellState(cell, State.FAILED) for cell in request.grid()}
    assert not plan(request, states, source="http://site").replace


def test_a_live_backfill_of_the_same_cells_is_attached_to():
    request = Request(Month(2019, 1), Month(2019, 2))
    grid = request.grid()
    states = {cell: CellState(cell, State.LOADING) for cell in grid}
    live = LiveBackfill("exec", "bf-1", frozenset(grid), NOW)
    other = LiveBackfill("exec2", "bf-2", frozenset({Cell("green", Month(2001, 1), "x")}), NOW)
    made = plan(request, states, source="http://site", live=[live, other])
    assert made.steps == ()
    assert made.attached == (live,)
    assert made.in_hand == frozenset(grid)


def test_expected_time_follows_the_line_through_past_runs_and_the_width():
    request = Request(Month(2019, 1), Month(2019, 4), ("green",), ("postgres",), parallel=2)
    states = {
        cell: CellState(
            cell,
            State.MISSING,
            source=SourceFile(cell.taxi, cell.month, "http://site", True, 3000),
        )
        for cell in request.grid()
    }
    past = [PastRun("postgres", 1000, 2.0), PastRun("postgres", 2000, 3.0)]
    expected = plan(request, states, source="http://site", past=past).expected
    assert expected.seconds == pytest.approx(8.0)  # four months of 4 s each, two at once
    assert expected.bytes == 12000
    assert expected.executions == 5
    assert plan(request, states, source="http://site").expected.seconds is None


@pytest.mark.parametrize(
    ("size", "seconds"),
    [
        (500_000, 12.0),  # the noise of files of about one size is not drawn out to another
        (60_000, 12.0),
        (2_000_000, None),  # samples tell nothing of real months, nor these of samples
        (20_000, None),
    ],
)
def test_the_expected_time_comes_from_loads_of_about_that_size(size, seconds):
    request = Request(Month(2020, 10), Month(2020, 10), ("green",), ("postgres",))
    (cell,) = request.grid()
    file = SourceFile(cell.taxi, cell.month, "http://site", True, size)
    states = {cell: CellState(cell, State.MISSING, source=file)}
    past = [PastRun("postgres", 211_000, 6.0), PastRun("postgres", 220_000, 18.0),
            PastRun("postgres", 221_000, 12.0)]  # fmt: skip
    assert plan(request, states, source="http://site", past=past).expected.seconds == seconds


def test_expected_rows_come_from_published_counts_or_the_other_destination():
    request = Request(Month(2019, 1), Month(2019, 1), ("green",))
    states = {cell: CellState(cell, State.MISSING) for cell in request.grid()}
    counts = {"green": {"2019-01": 630918}}
    made = plan(request, states, source="http://site", published=counts)
    assert made.expected.rows == len(DESTINATIONS) * 630918


def test_a_taxi_without_any_published_month_is_a_problem_that_names_the_url():
    request = Request(Month(2031, 1), Month(2031, 2), ("green",))
    states = {
        cell: CellState(
            cell,
            State.NOT_PUBLISHED,
            source=SourceFile("green", cell.month, f"http://site/green/{cell.month}", False),
        )
        for cell in request.grid()
    }
    (problem,) = plan(request, states, source="http://site").problems
    assert "http://site/green/2031-01" in problem


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"start": "2020-13"}, "--start"),
        ({"end": "2018-01"}, "--end"),
        ({"end": "soon"}, "--end"),
        ({"taxi": "blue"}, "--taxi"),
        ({"destination": "mysql"}, "--destination"),
        ({"only": "some"}, "--only"),
        ({"order": "random"}, "--order"),
        ({"order": "oldest,newest"}, "--order"),
        ({"order": "all"}, "--order"),
        ({"parallel": 0}, "--parallel"),
        ({"parallel": 9}, "--parallel"),
    ],
)
def test_a_wrong_flag_is_named_with_its_rule(flags, named):
    given = {"start": "2019-01", "end": "2019-02", **flags}
    with pytest.raises(UsageError, match=named):
        Request.parse(given.pop("start"), given.pop("end"), **given)


def test_flags_are_read():
    request = Request.parse(
        "2019-01-15", "2019-02", taxi="yellow", only="missing,failed", order="newest"
    )
    assert request.start == Month(2019, 1)
    assert request.taxis == ("yellow",)
    assert request.only == {Only.MISSING, Only.FAILED}
    assert request.order is Order.NEWEST


def test_no_taxi_means_the_courses_and_all_means_every_series():
    plain = Request.parse("2019-01", "2019-02")
    assert plain.taxis == ("green", "yellow")
    assert Request.parse("2019-01", "2019-02", taxi="yellow, green") == plain
    assert "--taxi" not in plain.attaching
    whole = Request.parse("2019-01", "2019-02", taxi="all")
    assert whole.taxis == TAXIS
    assert f"--taxi {','.join(TAXIS)}" in whole.attaching


def test_ended_lost_executions_are_named_only_where_they_stand_in_the_way(make):
    request = Request(Month(2019, 1), Month(2019, 1), ("green",), ("postgres",))
    (cell,) = request.grid()
    old = make.run(RunState.LIVE, minutes_ago=300, cell=cell)
    states = {cell: state_of(cell, load=None, runs=[old], source=None, now=make.now)}
    lost = LiveBackfill("parent", "bf-0", frozenset({cell}), NOW - timedelta(hours=5))
    assert plan(request, states, source="http://site", lost=[lost]).lost == ("parent", old.id)


def test_every_destination_has_a_session_of_the_operators():
    assert set(SESSIONS) == set(DESTINATIONS)
