"""The notebook of the docs, cell by cell in one process, as a kernel would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from taxi_etl.month import Month
from taxistack.commands import zones
from taxistack.console import Console

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "both-destinations.ipynb"
MONTH = "2012-05"  # no other test loads it


def cells(kind: str) -> list[str]:
    content = json.loads(NOTEBOOK.read_text())
    return ["".join(one["source"]) for one in content["cells"] if one["cell_type"] == kind]


def test_the_notebook_carries_no_output():
    for one in json.loads(NOTEBOOK.read_text())["cells"]:
        assert not one.get("outputs")
        assert one.get("execution_count") is None


@pytest.fixture
def loaded(platform, zones_list) -> None:
    """A month in both destinations, and the zones."""
    platform.publish("yellow", Month.parse(MONTH), 200)
    platform.invoke("backfill", "--start", MONTH, "--end", MONTH, "--taxi", "yellow")
    zones.load(platform.target, Console())


def test_every_cell_runs_and_the_destinations_are_equal(platform, loaded):
    # Other tests leave months behind that are not equal on purpose: this one's month alone
    script = "\n\n".join(cells("code")).replace(
        "GROUP BY source_month", f"WHERE source_month = '{MONTH}-01' GROUP BY source_month"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "INVOKE_TAXISTACK_STATE": str(platform.state),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 months" in done.stdout
    assert "equal" in done.stdout
