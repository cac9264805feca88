"""The state of a cell follows from ledger, executions and source."""

from __future__ import annotations

from datetime import timedelta

import pytest

from taxistack.backfill.state import RunState, State, state_of


@pytest.fixture
def state(make):
    """The state of the usual cell from what is given."""

    def derive(load=None, runs=(), source="published", **more):
        given = make.source() if source == "published" else source
        return state_of(make.cell, load=load, runs=runs, source=given, now=make.now, **more)

    return derive


def test_published_and_never_loaded_is_missing(state):
    assert state().state is State.MISSING


def test_a_month_the_source_denies_is_not_published(state, make):
    found = state(source=make.source(published=False))
    assert found.state is State.NOT_PUBLISHED
    assert "http://site" in found.reason


def test_a_ledger_row_equal_to_the_source_is_loaded(state, make):
    assert state(load=make.load()).state is State.LOADED


@pytest.mark.parametrize("change", [{"etag": '"b"'}, {"length": 999}])
def test_a_source_that_changed_makes_it_stale(state, make, change):
    found = state(load=make.load(), source=make.source(**change))
    assert found.state is State.STALE
    assert "source" in found.reason


@pytest.mark.parametrize("same", [{"etag": 'W/"a"'}, {"etag": None}, {"length": None}])
def test_a_weak_or_absent_mark_of_the_source_is_no_change(state, make, same):
    assert state(load=make.load(), source=make.source(**same)).state is State.LOADED


def test_a_month_that_vanished_from_the_source_stays_loaded(state, make):
    gone = make.source(published=False)
    found = state(load=make.load(source_url=gone.url), source=gone)
    assert found.state is State.LOADED
    assert found.reason == f"{gone.url} does not exist any more"
    other = state(load=make.load(source_url="http://other/x"), source=gone)
    assert other.state is State.LOADED
    assert other.reason == f"was loaded from http://other/x; {gone.url} does not exist"


def test_a_live_execution_is_loading_even_over_a_load(state, make):
    run = make.run(RunState.LIVE, minutes_ago=2)
    found = state(load=make.load(), runs=[run])
    assert found.state is State.LOADING
    assert run.id in found.reason


def test_a_cell_that_a_live_backfill_has_before_it_is_loading(state):
    found = state(claimed_by="bf-1")
    assert found.state is State.LOADING
    assert "bf-1" in found.reason


def test_a_failed_last_run_is_failed_with_its_attempt(state, make):
    runs = [make.run(RunState.FAILED, minutes_ago=m) for m in (30, 20, 10)]
    found = state(runs=runs)
    assert found.state is State.FAILED
    assert found.attempt == 3
    assert found.run.id == "run-10"


def test_a_failure_before_the_load_is_history(state, make):
    load = make.load(loaded_at=make.now - timedelta(minutes=5))
    assert state(load=load, runs=[make.run(RunState.FAILED, 60)]).state is State.LOADED


def test_a_failed_reload_is_failed_although_the_month_is_there(state, make):
    assert state(load=make.load(), runs=[make.run(RunState.FAILED, 10)]).state is State.FAILED


def test_a_run_that_loaded_and_failed_to_reconcile_is_failed(state, make):
    run = make.run(RunState.FAILED, 10)
    load = make.load(execution_id=run.id, loaded_at=make.now - timedelta(minutes=9))
    assert state(load=load, runs=[run]).state is State.FAILED


def test_a_cancelled_run_leaves_the_cell_missing(state, make):
    found = state(runs=[make.run(RunState.CANCELLED, 10)])
    assert found.state is State.MISSING
    assert "cancelled" in found.reason


def test_a_silent_execution_is_lost_and_its_cell_missing(state, make):
    run = make.run(RunState.LIVE, minutes_ago=300)
    found = state(runs=[run])
    assert found.state is State.MISSING
    assert [lost.id for lost in found.lost] == [run.id]
    assert "lost" in found.reason


def test_an_execution_that_waits_in_a_queue_is_not_lost(state, make):
    run = make.run(RunState.LIVE, minutes_ago=300, queued=True)
    assert state(runs=[run]).state is State.LOADING


def test_a_lost_execution_whose_load_is_in_the_ledger_is_loaded(state, make):
    run = make.run(RunState.LIVE, minutes_ago=60)
    load = make.load(execution_id=run.id, loaded_at=make.now - timedelta(minutes=50))
    found = state(load=load, runs=[run])
    assert found.state is State.LOADED
    assert found.lost


def test_a_run_that_found_no_file_counts_only_while_the_source_is_silent(state, make):
    runs = [make.run(RunState.WARNING, 10)]
    silent = make.source(published=None, problem="refused")
    assert state(runs=runs, source=silent).state is State.NOT_PUBLISHED
    assert state(runs=runs, source=make.source()).state is State.MISSING
