"""What a survey asks for follows from the range, not from how long the stack has lived."""

from __future__ import annotations

import sys

import pytest

from taxi_etl.month import Month
from taxistack.backfill.executions import MOST_RECENT, Executions
from taxistack.backfill.state import Cell, State
from taxistack.backfill.survey import survey

ASKED = [Month(2019, 1), Month(2019, 2), Month(2019, 3)]


def cost(context, kestra) -> tuple[int, int]:
    """Requests and executions of what a survey reads."""
    kestra.sent = kestra.sent_executions = 0
    executions = Executions(context.kestra())
    executions.runs_of(ASKED)
    executions.live_backfills()
    executions.recent_loads()
    return kestra.sent, kestra.sent_executions


def test_five_thousand_executions_of_other_months_cost_nothing(context, kestra):
    for month in ASKED:
        kestra.month(Cell("green", month, "postgres"), "FAILED")
    for number in range(2 * MOST_RECENT):
        month = Month(2000 + number // 12, number % 12 + 1)
        kestra.month(Cell("yellow", month, "postgres"), "SUCCESS", minutes_ago=600 + number)
    few = cost(context, kestra)
    for number in range(5000):
        month = Month(2031 + number // 12 % 60, number % 12 + 1)
        kestra.month(Cell("green", month, "postgres"), "SUCCESS", minutes_ago=60000 + number)
    assert cost(context, kestra) == few == (2 * len(ASKED) + 1 + 2, 3 + MOST_RECENT)


def test_a_month_that_was_tried_often_tells_of_its_newest_tries(context, kestra):
    cell = Cell("green", ASKED[0], "postgres")
    for number in range(300):
        kestra.month(cell, "FAILED", minutes_ago=1000 - number)
    last = kestra.month(cell, "SUCCESS")
    ran = Executions(context.kestra()).runs_of(ASKED)[cell]
    assert len(ran) == 200
    assert ran[0].id == last


def test_the_run_that_two_answers_hold_is_one(context, kestra):
    from taxistack.backfill.executions import together

    cell = Cell("green", ASKED[0], "postgres")
    kestra.month(cell, "SUCCESS")
    found = Executions(context.kestra()).runs_of(ASKED)
    assert together(found, found, {}) == found


@pytest.fixture
def empty_ledgers(monkeypatch):
    """Nothing was loaded, or the ledger has lost it."""
    monkeypatch.setattr("taxistack.backfill.ledger.read", lambda *_: {})


def test_labels_are_looked_for_in_what_is_not_done_alone(
    context, kestra, empty_ledgers, monkeypatch
):
    """A server reads the labels of each execution that is left: a second for 5,000 of one flow."""
    asked = []
    search = Executions._search

    def noted(self, flow, **how):
        asked.append(how)
        return search(self, flow, **how)

    monkeypatch.setattr(Executions, "_search", noted)
    cells = [Cell("green", month, "postgres") for month in ASKED]
    kestra.month(cells[0], "SUCCESS")
    survey(context, cells, check_source=False)
    by_month = [how for how in asked if "month" in how]
    assert len(by_month) == 2 * len(ASKED)
    assert all(how["states"] and "SUCCESS" not in how["states"] for how in by_month)


def test_what_failed_and_succeeded_long_ago_is_not_failed(context, kestra, empty_ledgers):
    """Its ledger row is lost; among the newest of all it is not."""
    cell = Cell("green", ASKED[0], "postgres")
    kestra.month(cell, "FAILED", minutes_ago=9000)
    done = kestra.month(cell, "SUCCESS", minutes_ago=8000)
    for number in range(2 * MOST_RECENT):
        month = Month(2000 + number // 12, number % 12 + 1)
        kestra.month(Cell("yellow", month, "postgres"), "SUCCESS", minutes_ago=600 + number)
    found = survey(context, [cell], check_source=False).states[cell]
    assert (found.state, found.reason) == (
        State.MISSING,
        f"execution {done} succeeded, but the ledger has no row",
    )


def test_only_the_months_that_failed_are_judged_again(context, kestra, empty_ledgers, monkeypatch):
    judged = []
    survey_module = sys.modules["taxistack.backfill.survey"]  # its function has its name
    real = survey_module.state_of

    def noted(cell, **known):
        judged.append(cell)
        return real(cell, **known)

    monkeypatch.setattr(survey_module, "state_of", noted)
    cells = [Cell("green", month, "postgres") for month in ASKED]
    kestra.month(cells[0], "FAILED")
    assert survey(context, cells, check_source=False).states[cells[0]].state is State.FAILED
    assert sorted(judged) == sorted([*cells, cells[0]])
