"""`down --keep-data`: the server goes, the lake and the tables stay, and `up` finds them again."""

from __future__ import annotations

import json
from functools import partial

import pytest

MONTH = ("--start", "2019-01", "--end", "2019-01", "--taxi", "green")


@pytest.fixture
def invoke(invoke_on, tmp_path):
    """Runs a command on a stack of its own; the stack is taken away at the end."""
    state = tmp_path / "state"
    run = partial(invoke_on, state, INVOKE_TAXISTACK_SAMPLE_ROWS="100")
    yield run
    run("down", "--yes")
    assert not state.exists()


def test_data_outlives_the_server(invoke):
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
