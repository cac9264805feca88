"""`down --keep-data`: the server goes, the lake and the tables stay, and `up` finds them again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MONTH = ("--start", "2019-01", "--end", "2019-01", "--taxi", "green")


@pytest.fixture
def invoke(tmp_path):
    """Runs a command on a stack of its own; the stack is taken away at the end."""
    environment = {
        **os.environ,
        "TAXISTACK_STATE": str(tmp_path / "state"),
        "INVOKE_TAXISTACK_SAMPLE_ROWS": "100",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *arguments], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done

    yield run
    run("down", "--yes")
    assert not (tmp_path / "state").exists()


def test_data_outlives_the_server(invoke, tmp_path):
    invoke("up")
    invoke("deploy-flows")
    invoke("backfill", *MONTH)
    before = json.loads(invoke("verify", *MONTH, "--json").stdout)
    assert "the lake and the tables are kept" in invoke("down", "--yes", "--keep-data").stdout
    invoke("up")
    invoke("deploy-flows")
    assert "nothing to do" in invoke("backfill", *MONTH).stdout
    assert json.loads(invoke("verify", *MONTH, "--json").stdout) == before
    assert [cell["state"] for cell in before] == ["loaded", "loaded"]
