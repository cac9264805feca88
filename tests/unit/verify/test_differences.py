"""Every way in which a month can differ is named; a month that is right has no difference."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from taxi_etl.compare import amount
from taxi_etl.lake import LakeObject
from taxistack.backfill.state import SourceFile, State
from taxistack.console import Console
from taxistack.verify.compare import differences
from taxistack.verify.verification import Verification, VerifyRequest, check_all, repair_months


def named(known) -> set[str]:
    return {one.check for one in differences(known)}


def test_a_right_month_has_no_difference(proven):
    assert differences(proven.known()) == []


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"rows": 99}, "rows"),
        ({"total_amount": Decimal("12.31")}, "total_amount"),
        ({"distinct_ids": 99}, "unique_row_id"),
    ],
)
def test_a_table_that_differs_is_named(proven, change, check):
    assert check in named(proven.table(proven.known(), **change))


def test_a_row_deleted_behind_our_back_is_counted(proven):
    known = proven.table(proven.known(), rows=99, distinct_ids=99)
    assert "rows: 99 in the table, 100 loaded (-1)" in [str(one) for one in differences(known)]


def test_a_dropped_partition_is_named(proven):
    (found,) = differences(replace(proven.known(), table=None))
    assert str(found) == "table: no row of this month, 100 were loaded"


def test_a_missing_lake_object_is_named(proven):
    assert named(replace(proven.known(), lake=None)) == {"lake"}


@pytest.mark.parametrize("values", [(999, "AAAAAA=="), (1000, "BBBBBB==")])
def test_an_overwritten_lake_object_is_named(proven, values):
    size, crc32c = values
    lake = LakeObject("lake", "raw/x", size, crc32c, 2)
    assert named(replace(proven.known(), lake=lake)) == {"lake"}


def test_a_removed_ledger_row_is_named(proven):
    known = proven.without_load(State.MISSING)
    assert named(known) == {"state", "ledger"}
    assert "the table has 100 rows" in str(differences(known)[1])


def test_a_missing_month_is_a_difference_and_an_unpublished_one_is_none(proven):
    assert named(proven.without_load(State.MISSING, table=None, lake=None)) == {"state"}
    assert named(proven.without_load(State.NOT_PUBLISHED, table=None, lake=None)) == set()


def test_rows_of_an_unpublished_month_are_named(proven):
    assert named(proven.without_load(State.NOT_PUBLISHED)) == {"ledger"}


@pytest.mark.parametrize(("state", "check"), [(State.FAILED, "state"), (State.LOADING, "state")])
def test_a_month_in_another_state_than_loaded_is_named(proven, state, check):
    assert check in named(proven.known(state=state))


def test_the_published_count_is_compared_when_known(proven):
    assert named(replace(proven.known(), published_rows=100)) == set()
    (found,) = differences(replace(proven.known(), published_rows=101))
    assert (found.check, found.mendable) == ("published", False)


def test_other_rows_in_the_other_destination_are_named_on_both_sides(proven):
    one, other = proven.known("bigquery"), proven.table(proven.known("postgres"), fingerprint=778)
    checks = check_all([one, other])
    assert [str(check.differences[0]) for check in checks] == [
        "destinations: postgres has other unique_row_ids",
        "destinations: bigquery has other unique_row_ids",
    ]


def test_another_edition_of_the_file_in_the_other_destination_is_named(proven):
    checks = check_all([proven.known("bigquery"), proven.known("postgres", sha256="cd")])
    assert all("another edition" in str(check.differences[0]) for check in checks)


def test_a_side_that_is_right_is_not_blamed_for_the_wrong_one(proven):
    wrong = proven.table(proven.known("postgres"), rows=99, distinct_ids=99, fingerprint=1)
    right, blamed = check_all([proven.known("bigquery"), wrong])
    assert right.proven
    assert {one.check for one in blamed.differences} == {"rows"}


@pytest.mark.parametrize(
    ("value", "text"),
    [("2196773.09", "2196773.09"), ("-1.100", "-1.10"), ("1E+3", "1000.00"), ("0.125", "0.125"),
     ("0", "0.00")],
)  # fmt: skip
def test_amounts_have_two_decimals_and_are_never_rounded(value, text):
    assert amount(Decimal(value)) == text


def test_json_has_one_object_for_each_cell_with_exact_amounts(proven, at):
    (check,) = check_all([proven.known()])
    told = Verification(VerifyRequest(), "http://site", (check,), at, 1.0).to_json()
    (cell,) = told
    expected = {
        "taxi": "green", "month": "2020-10", "destination": "postgres", "state": "loaded",
        "rows": 100, "source_rows": 100, "total_amount": "12.30", "differences": [],
    }  # fmt: skip
    assert expected.items() <= cell.items()


def test_a_series_that_measures_nothing_has_no_total(proven, at):
    known = proven.known()
    cell = replace(known.state.cell, taxi="fhv")
    (check,) = check_all([replace(known, state=replace(known.state, cell=cell))])
    found = Verification(VerifyRequest(), "http://site", (check,), at, 1.0)
    assert found.to_json()[0]["total_amount"] is None


@pytest.mark.parametrize(
    ("published", "problem", "told", "summed"),
    [
        (None, "http://site/x: refused", "source: could not be asked: http://site/x: refused",
         "1 not proven"),
        (False, None, "source: http://site/x does not exist any more", "1 as they were loaded"),
    ],
)  # fmt: skip
def test_a_source_that_can_not_be_looked_at_proves_nothing_and_is_not_mended(
    proven, at, published, problem, told, summed
):
    known = proven.known()
    cell = known.state.cell
    source = SourceFile(cell.taxi, cell.month, "http://site/x", published, problem=problem)
    known = replace(known, state=replace(known.state, source=source))
    found = Verification(VerifyRequest(), "s", tuple(check_all([known])), at, 1.0)
    assert [str(one) for check in found.wrong for one in check.differences] == [told]
    assert (found.exit_code, found.proven, found.mendable) == (1, (), ())
    assert repair_months(None, found, Console()) is None
    assert summed in found.summary
    assert "--repair" not in f"{found.summary} {found.next_step}"
    # A load begins at the source: what differs beside it can't be mended either.
    worse = replace(known, table=None)
    damaged = Verification(VerifyRequest(), "s", tuple(check_all([worse])), at, 1.0)
    assert (damaged.mendable, damaged.orphaned) == ((), ())
    assert "1 not proven: loading again would not help" in damaged.summary
    assert "--repair" not in f"{damaged.summary} {damaged.next_step}"
    assert repair_months(None, damaged, Console()) is None


def test_months_of_another_source_are_told_as_such_with_the_way_out(proven, at):
    """After a change of the source: what it does not have is neither wrong nor mended."""
    known = proven.known(source_url="http://sample/green/x")
    gone = SourceFile("green", known.state.cell.month, "http://real/green/x", False)
    known = replace(known, state=replace(known.state, source=gone))
    found = Verification(VerifyRequest(), "http://real", tuple(check_all([known])), at, 1.0)
    (check,) = found.orphaned
    assert [str(one) for one in check.differences] == [
        "source: was loaded from http://sample/green/x; http://real/green/x does not exist"
    ]
    assert "1 as they were loaded, but from files that http://real does not have" in found.summary
    assert "deploy-flows --source" in found.next_step
    assert "invoke down" in found.next_step
    damaged = replace(known, table=None)
    other = Verification(VerifyRequest(), "http://real", tuple(check_all([damaged])), at, 1.0)
    assert (other.orphaned, other.mendable) == ((), ())
    assert "1 not proven: loading again would not help while http://real does not have" in (
        other.summary
    )
    assert "deploy-flows --source" in other.next_step


def source(proven, **answer) -> SourceFile:
    cell = proven.known().state.cell
    return SourceFile(cell.taxi, cell.month, "http://site/x", **answer)


REFUSED = (
    "extract green 2020-10: http://site/x: line 41 has 19 columns, not 20. Nothing was loaded "
    "(invoke logs --execution exec)"
)


def test_a_file_that_extract_refuses_is_refused_again_and_not_called_mendable(proven, at):
    failed = proven.known(state=State.FAILED)
    answer = source(proven, published=True, length=1000, etag='"a"')
    known = replace(failed, state=replace(failed.state, source=answer, reason=REFUSED))
    found = Verification(
        VerifyRequest.parse("2020-10", "2020-10"), "s", tuple(check_all([known])), at, 1.0
    )
    assert (found.exit_code, found.mendable) == (1, ())
    assert (
        "1 not proven: loading again would not help while s has the files that were refused"
        in found.summary
    )
    assert "--repair" not in f"{found.summary} {found.next_step}"
    assert found.next_step == (
        "once the files are right there: invoke backfill --start 2020-10 --end 2020-10 --taxi "
        "green --destination postgres --only failed"
    )
    assert repair_months(None, found, Console()) is None
    assert found.to_json()[0]["mendable"] is False


def test_a_load_that_failed_for_another_reason_is_tried_again(proven, at):
    failed = proven.known(state=State.FAILED)
    answer = source(proven, published=True, length=1000, etag='"a"')
    reason = "load green 2020-10: the table is locked (invoke logs --execution exec)"
    known = replace(failed, state=replace(failed.state, source=answer, reason=reason))
    found = Verification(VerifyRequest(), "s", tuple(check_all([known])), at, 1.0)
    assert len(found.mendable) == 1
    assert "1 differ (--repair reloads them)" in found.summary
    assert found.to_json()[0]["mendable"] is True


@pytest.mark.parametrize("state", [State.FAILED, State.MISSING])
@pytest.mark.parametrize(
    ("answer", "while_"),
    [
        ({"published": None, "problem": "http://site/x answered 403"}, "s can't be asked for"),
        ({"published": False}, "s does not have"),
    ],
)
def test_a_month_that_the_source_does_not_give_can_not_be_loaded(proven, at, state, answer, while_):
    known = proven.without_load(state, table=None, lake=None)
    known = replace(known, state=replace(known.state, source=source(proven, **answer)))
    found = Verification(VerifyRequest(), "s", tuple(check_all([known])), at, 1.0)
    assert (found.exit_code, found.mendable) == (1, ())
    assert f"1 not proven: loading again would not help while {while_} these files" in (
        found.summary
    )
    assert "--repair" not in f"{found.summary} {found.next_step}"


def test_months_that_are_not_loaded_are_told_apart_from_those_that_differ(proven, at):
    answer = source(proven, published=True)
    missing = proven.without_load(State.MISSING, table=None, lake=None)
    missing = replace(missing, state=replace(missing.state, source=answer))
    damaged = proven.table(proven.known("bigquery"), rows=99, distinct_ids=99)
    found = Verification(VerifyRequest(), "s", tuple(check_all([missing, damaged])), at, 1.0)
    assert "1 differ (--repair reloads them), 1 not loaded (--repair loads them)" in found.summary
    assert found.next_step == "invoke verify --repair"


def test_the_exit_code_is_zero_only_when_something_is_proven_and_nothing_differs(proven, at):
    def code(*known):
        return Verification(VerifyRequest(), "s", tuple(check_all(known)), at, 1.0).exit_code

    gone = proven.without_load(State.NOT_PUBLISHED, table=None, lake=None)
    assert code(proven.known()) == 0
    assert code(proven.known(), gone) == 0
    assert code(gone) == 1
    assert code(proven.known(), proven.without_load(State.MISSING, table=None)) == 1


def test_a_load_that_runs_is_waited_for_by_repair_and_not_called_beyond_help(
    proven, at, monkeypatch
):
    """What is in hand of a backfill is attached to, as `backfill` does; damage beside it runs."""
    loading = proven.known(state=State.LOADING)
    damaged = proven.table(proven.known("bigquery"), rows=99, distinct_ids=99)
    found = Verification(VerifyRequest(), "s", tuple(check_all([loading, damaged])), at, 1.0)
    assert "1 being loaded (--repair waits for them)" in found.summary
    assert "would not help" not in found.summary
    asked = []

    def planned(context, request):
        asked.append(request)
        return "plan"

    monkeypatch.setattr("taxistack.verify.verification.plan_backfill", planned)
    monkeypatch.setattr(
        "taxistack.verify.verification.run_backfill", lambda *given, begun: given[1]
    )
    assert repair_months(None, found, Console()) == "plan"
    (request,) = asked
    assert request.cells == {loading.state.cell, damaged.state.cell}
    assert (request.force, request.replace) == (False, True)
    alone = Verification(VerifyRequest(), "s", tuple(check_all([loading])), at, 1.0)
    assert alone.next_step == "invoke verify --repair"


def test_a_row_without_a_pickup_time_is_the_sources(proven):
    assert differences(proven.table(proven.known(), null_pickups=4)) == []
