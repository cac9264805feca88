"""Real TLC months through the whole platform: the figures of the files, to the cent."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal

import pytest

RANGE = ("--start", "2020-04", "--end", "2020-10")
MONTHS = {
    ("yellow", "2020-04"), ("yellow", "2020-05"), ("yellow", "2020-06"), ("green", "2020-10"),
}  # fmt: skip
DESTINATIONS = ("bigquery", "postgres")


def _key(cell: dict[str, str]) -> tuple[str, str]:
    return cell["taxi"], cell["month"]


@pytest.fixture(scope="module")
def loaded(platform, real_months):
    """The real files at the release site, and loaded; gives what the backfill said."""
    for taxi, month in MONTHS:
        name = f"{taxi}/{taxi}_tripdata_{month}.csv.gz"
        target = platform.releases / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(real_months / "releases" / name, target)
    yield json.loads(platform.invoke("backfill", *RANGE, "--json").stdout)
    for taxi, month in MONTHS:
        (platform.releases / f"{taxi}/{taxi}_tripdata_{month}.csv.gz").unlink()


def test_every_month_that_exists_is_loaded_into_both_destinations(loaded):
    cells = {(*_key(cell), cell["destination"]) for cell in loaded["loaded"]}
    assert cells == {(*month, where) for month in MONTHS for where in DESTINATIONS}


def test_every_month_is_equal_to_its_file_to_the_cent(platform, loaded, real_months):
    expected = json.loads((real_months / "expected.json").read_text())
    cells = json.loads(platform.invoke("verify", *RANGE, "--json").stdout)
    assert len(cells) == 7 * 2 * 2
    for cell in cells:
        if _key(cell) not in MONTHS:
            assert cell["state"] == "not published", cell
            continue
        figures = expected[f"{cell['taxi']}/{cell['taxi']}_tripdata_{cell['month']}.csv.gz"]
        assert cell["state"] == "loaded", cell
        assert cell["rows"] == cell["source_rows"] == figures["rows"]
        assert Decimal(str(cell["total_amount"])) == Decimal(figures["total_amount"])


def test_both_destinations_hold_the_same_unique_row_ids(platform, loaded):
    target = platform.target
    table = f"{target.outputs.project}.{target.outputs.dataset}.green_tripdata"
    query = f"SELECT unique_row_id FROM `{table}` WHERE source_month = DATE '2020-10-01'"
    there = {row[0].hex() for row in target.bigquery().query(query).result()}
    with target.postgres() as connection:
        rows = connection.execute(
            "SELECT unique_row_id FROM green_tripdata WHERE source_month = '2020-10-01'"
        ).fetchall()
    assert there == {row[0] for row in rows}
    assert len(there) == len(rows) == 95_120


def test_the_same_command_again_loads_nothing(platform, loaded):
    again = json.loads(platform.invoke("backfill", *RANGE, "--json").stdout)
    assert again["outcome"] == "nothing to do"
    assert again["loaded"] == []
