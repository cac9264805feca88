"""verify names every kind of damage, `--repair` mends it and touches nothing else."""

from __future__ import annotations

import json

import pytest

from taxi_etl import release
from taxi_etl.month import Month
from taxistack.backfill import Request, plan_backfill, run_backfill
from taxistack.backfill.executions import Executions
from taxistack.backfill.state import Cell, RunState
from taxistack.console import Console
from taxistack.verify import VerifyRequest, repair_months, verify_months

START, END = "2015-01", "2015-05"
REQUEST = VerifyRequest.parse(START, END, taxi="yellow")
ROWS = 80


@pytest.fixture(scope="module")
def loaded(platform):
    """Five yellow months in both destinations, proven; the platform."""
    for month in Month.range(Month.parse(START), Month.parse(END)):
        platform.publish("yellow", month, ROWS)
    request = Request.parse(START, END, taxi="yellow", parallel=2)
    plan = plan_backfill(platform.context, request)
    result = run_backfill(platform.context, plan, Console(), poll_s=0.3)
    assert result.exit_code == 0, (result.summary, *map(str, result.failures))
    found = verify_months(platform.context, REQUEST)
    assert found.exit_code == 0, (found.summary, named(found))
    return platform


def named(found) -> dict[str, set[str]]:
    return {str(check.cell): {one.check for one in check.differences} for check in found.wrong}


def postgres(platform, statement: str) -> None:
    with platform.context.postgres() as connection:
        assert connection.execute(statement).rowcount == 1


def bigquery(platform, statement: str) -> None:
    outputs = platform.context.outputs
    statement = statement.format(f"{outputs.project}.{outputs.dataset}")
    platform.context.bigquery().query(statement, location=outputs.location).result()


def delete_a_row(platform) -> dict[str, set[str]]:
    postgres(
        platform,
        "DELETE FROM yellow_tripdata WHERE unique_row_id = (SELECT min(unique_row_id) "
        "FROM yellow_tripdata WHERE source_month = '2015-01-01')",
    )
    return {"yellow 2015-01 in postgres": {"rows", "total_amount"}}


def drop_a_partition(platform) -> dict[str, set[str]]:
    bigquery(platform, "DELETE FROM `{}.yellow_tripdata` WHERE source_month = DATE '2015-02-01'")
    return {"yellow 2015-02 in bigquery": {"table"}}


def overwrite_the_lake(platform) -> dict[str, set[str]]:
    name = release.object_name("yellow", Month(2015, 3))
    bucket = platform.context.storage().bucket(platform.context.outputs.bucket)
    bucket.blob(name).upload_from_string(b"something else")
    return {f"yellow 2015-03 in {where}": {"lake"} for where in ("bigquery", "postgres")}


def remove_a_ledger_row(platform) -> dict[str, set[str]]:
    postgres(platform, "DELETE FROM loads WHERE taxi = 'yellow' AND month = '2015-04-01'")
    return {"yellow 2015-04 in postgres": {"state", "ledger"}}


def change_the_source(platform) -> dict[str, set[str]]:
    platform.publish("yellow", Month(2015, 5), ROWS + 1)
    return {f"yellow 2015-05 in {where}": {"source"} for where in ("bigquery", "postgres")}


DAMAGES = (
    delete_a_row, drop_a_partition, overwrite_the_lake, remove_a_ledger_row, change_the_source,
)  # fmt: skip


def assert_only_these_changed(before, after, expected: set[str]) -> None:
    """Ledger row (with the time of the load), rows and lake object of all others are the same."""
    months = {cell.split()[1] for cell in expected}
    for was, now in zip(before.checks, after.checks, strict=True):
        assert (was.known.state.load == now.known.state.load) == (str(was.cell) not in expected)
        if str(was.cell) not in expected:
            assert was.known.table == now.known.table
        if str(was.cell.month) not in months:
            assert was.known.lake == now.known.lake


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
def test_damage_is_named_and_mended_and_nothing_else_is_touched(loaded, damage):
    before = verify_months(loaded.context, REQUEST)
    assert before.exit_code == 0
    expected = damage(loaded)
    found = verify_months(loaded.context, REQUEST)
    assert found.exit_code == 1
    assert set(named(found)) == set(expected)
    for cell, names in expected.items():
        assert names <= named(found)[cell]
    result = repair_months(loaded.context, found, Console())
    assert {str(cell) for cell in result.loaded} == set(expected)
    assert result.problems == ()
    after = verify_months(loaded.context, REQUEST)
    assert after.exit_code == 0
    assert_only_these_changed(before, after, set(expected))


def test_the_command_names_all_the_damage_and_mends_it(loaded):
    repair = ["verify", "--start", START, "--end", END, "--taxi", "yellow"]
    loaded.publish("yellow", Month(2015, 5), ROWS)  # `change_the_source` gives it one row more
    loaded.invoke(*repair, "--repair")
    before = verify_months(loaded.context, REQUEST)
    assert before.exit_code == 0
    expected = {cell: names for damage in DAMAGES for cell, names in damage(loaded).items()}
    told = loaded.invoke(*repair, "--json", code=1)
    cells = {f"{one['taxi']} {one['month']} in {one['destination']}": one
             for one in json.loads(told.stdout)}  # fmt: skip
    assert {name for name, one in cells.items() if one["differences"]} == set(expected)
    for cell, names in expected.items():
        assert names <= {text.partition(":")[0] for text in cells[cell]["differences"]}
    assert f"{len(expected)} differ (--repair reloads them)" in told.stderr
    asked = " ".join(repair[1:])
    assert f"try: invoke verify --repair {asked}" in " ".join(told.stderr.split())
    mended = loaded.invoke(*repair, "--repair")
    for cell, names in expected.items():
        for name in names:
            assert f"{cell}: {name}: " in mended.stderr
    assert "10 months proven equal to the source" in mended.stdout
    after = verify_months(loaded.context, REQUEST)
    assert after.exit_code == 0
    assert_only_these_changed(before, after, set(expected))


def test_the_grid_shows_a_changed_source_as_stale(loaded):
    loaded.publish("yellow", Month(2015, 5), ROWS + 7)
    plan = plan_backfill(loaded.context, Request.parse("2015-05", "2015-05", taxi="yellow"))
    assert {str(one.state) for one in plan.states.values()} == {"stale"}
    assert plan.steps == ()
    again = Request.parse("2015-05", "2015-05", taxi="yellow", only="failed")
    result = run_backfill(
        loaded.context, plan_backfill(loaded.context, again), Console(), poll_s=0.3
    )
    assert result.rows == 2 * (ROWS + 7)


def test_both_destinations_hold_the_same_rows(loaded):
    found = verify_months(loaded.context, REQUEST)
    tables = {check.cell: check.known.table for check in found.checks}
    for cell, table in tables.items():
        other = tables[Cell(cell.taxi, cell.month, "bigquery")]
        assert (table.fingerprint, table.rows) == (other.fingerprint, other.rows)


def test_the_command_gives_json_and_a_report(loaded, tmp_path):
    done = loaded.invoke(
        "verify", "--start", START, "--end", END, "--taxi", "yellow", "--json",
        "--report", str(tmp_path),
    )  # fmt: skip
    cells = json.loads(done.stdout)
    assert len(cells) == 10
    assert {one["state"] for one in cells} == {"loaded"}
    assert all(one["rows"] == one["source_rows"] for one in cells)
    assert "2015-01" in (tmp_path / "report.md").read_text()
    assert "All 10 loads are equal" in (tmp_path / "index.html").read_text()


def test_verify_repair_attaches_to_a_load_that_runs(loaded):
    """Not `loading again would not help`: it waits, as backfill does."""
    loaded.publish("yellow", Month(2015, 5), ROWS + 9)
    request = Request.parse("2015-05", "2015-05", taxi="yellow", only="all", parallel=1)
    made = plan_backfill(loaded.context, request)
    executions = Executions(loaded.context.kestra())
    execution = executions.start(made.steps, "bf-running", parallel=1, replace=True)
    done = loaded.invoke(
        "verify", "--start", "2015-05", "--end", "2015-05", "--taxi", "yellow", "--repair"
    )
    assert "would not help" not in done.stderr
    assert executions.ended(execution) is RunState.SUCCESS
    assert "2 months proven equal to the source" in done.stdout + done.stderr
