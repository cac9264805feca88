"""For-Hire Vehicles, the series that measures nothing: from the release site to the report."""

from __future__ import annotations

import json

import pytest

from taxi_etl.month import Month
from taxistack.backfill import Outcome, Request, plan_backfill, run_backfill
from taxistack.console import Console

MONTHS = (Month(2019, 2), Month(2020, 1))  # the second has other capitals in its header
RANGE = ("--start", "2019-02", "--end", "2020-01", "--taxi", "fhv")
ROWS = 400


@pytest.fixture(scope="module")
def loaded(platform):
    """Two months of fhv in both destinations; the platform."""
    for month in MONTHS:
        platform.publish("fhv", month, ROWS)
    plan = plan_backfill(platform.context, Request.parse("2019-02", "2020-01", taxi="fhv"))
    done = run_backfill(platform.context, plan, Console(), poll_s=0.3)
    assert (done.outcome, done.rows) == (Outcome.DONE, 4 * ROWS)
    return platform


def test_its_months_are_proven_in_both_destinations_and_reported(loaded, tmp_path):
    done = loaded.invoke("verify", *RANGE, "--report", str(tmp_path), "--json")
    told = [one for one in json.loads(done.stdout) if one["state"] == "loaded"]
    assert [(one["month"], one["destination"]) for one in told] == [
        ("2019-02", "bigquery"), ("2019-02", "postgres"),
        ("2020-01", "bigquery"), ("2020-01", "postgres"),
    ]  # fmt: skip
    for one in told:
        assert (one["rows"], one["total_amount"], one["differences"]) == (ROWS, None, [])
    page, summary = (tmp_path / "index.html").read_text(), (tmp_path / "report.md").read_text()
    assert "All 4 loads are equal to their source" in page
    assert "fhv: PUlocationID and DOlocationID" in page
    assert "$" not in page.split("</style>")[1]
    nothing = "\N{EN DASH}"
    assert (
        f"| 2020-01 | fhv | {ROWS} | {nothing} | {nothing} | 40 (10.0 %) | 0 | 0 | 1 |" in summary
    )


def test_both_tables_hold_every_odd_base_number_and_time_as_published(loaded):
    columns = "dispatching_base_num, dropOff_datetime, PUlocationID, Affiliated_base_number"
    with loaded.context.postgres() as connection:
        query = f"SELECT source_month, {columns} FROM fhv_tripdata"
        here = connection.execute(query).fetchall()
    outputs = loaded.context.outputs
    table = f"`{outputs.project}.{outputs.dataset}.fhv_tripdata`"
    job = loaded.context.bigquery().query(
        f"SELECT source_month, {columns} FROM {table}", location=outputs.location
    )
    there = [row.values() for row in job.result()]
    plain = [(day, base, time.replace(tzinfo=None), *rest) for day, base, time, *rest in there]
    assert sorted(map(str, plain)) == sorted(str(tuple(row)) for row in here)
    bases = {row[1] for row in here}
    assert {"\\N", None} < bases
    assert any(base and base.endswith("  ") and len(base) == 15 for base in bases)
    assert any(base and base.startswith("b") for base in bases)
    assert {row[2].year for row in here} == {2019, 2020, 3019}


def test_a_backfill_that_names_no_series_leaves_it_out(loaded):
    done = loaded.invoke("backfill", *RANGE[:4], "--dry-run", "--json")
    cells = json.loads(done.stdout)["cells"]
    assert {one["taxi"] for one in cells} == {"green", "yellow"}
