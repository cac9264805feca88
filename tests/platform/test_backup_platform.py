"""`backup` and `restore`: a stack that is gone comes back in a fresh one, compared equal."""

from __future__ import annotations

import json
from functools import partial

import pytest

MONTH = ("--start", "2017-03", "--end", "2017-03", "--taxi", "green")


@pytest.fixture
def invoke(invoke_on, tmp_path):
    """Runs a command on a stack of its own; the stack is taken away at the end."""
    run = partial(invoke_on, tmp_path / "state", INVOKE_TAXISTACK_SAMPLE_ROWS="100")
    yield run
    run("down", "--yes")


def test_a_stack_that_is_gone_comes_back_in_a_fresh_one(invoke, tmp_path):
    def executions():
        return json.loads(invoke("executions", "--limit", "100", "--json").stdout)

    def loaded():
        told = json.loads(invoke("status", "--json").stdout)["loaded"]
        return [one for one in told if one["destination"] == "postgres"]

    invoke("up")
    invoke("deploy-flows")
    invoke("backfill", *MONTH)
    ran, held = executions(), loaded()
    invoke("backup")
    invoke("run", "hello_world")  # lost: it is younger than the backup
    told = invoke("down", "--yes")
    assert "1 backup in" in told.stderr
    (folder,) = (tmp_path / "state" / "backups").iterdir()
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*.*z"))

    invoke("up")
    assert executions() == []
    told = invoke("restore", "--yes")
    assert "compared equal" in told.stdout
    assert executions() == ran
    assert loaded() == held
    assert [(one["taxi"], one["months"], one["rows"]) for one in held] == [("green", 1, 100)]
    # The source follows to the port of the fresh stack: BigQuery is loaded again, and only that.
    assert "1 month" in invoke("backfill", *MONTH).stdout
    invoke("verify", *MONTH)

    # One that is cut is refused before anything is touched, whichever of its files it is.
    held, ran = loaded(), executions()
    for name in ("kestra.tar.gz", "postgres.dump", "source.json"):
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        told = invoke("restore", "--yes", code=1)
        assert f"{path} can't be put back" in told.stderr
        assert "stands still" not in told.stderr
        path.write_bytes(whole)
    assert (loaded(), executions()) == (held, ran)
