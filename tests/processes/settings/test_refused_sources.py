"""A source that can't be is refused by whole commands, before anything is started."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("command", ["deploy-flows", "demo"])
def test_both_commands_refuse_alike_and_start_nothing(invoke_on, tmp_path, command):
    done = invoke_on(tmp_path / "state", command, "--source", "http://h/sas?sig=abc", code=2)
    assert done.stderr.startswith("error: --source http://h/sas: a base address ends before `?`")
    assert not (tmp_path / "state" / "cloud").exists()


def test_demo_of_a_silent_source_starts_nothing(invoke_on, tmp_path):
    done = invoke_on(tmp_path / "state", "demo", "--source", "http://127.0.0.1:9", code=3)
    assert done.stderr.startswith("error: no answer from http://127.0.0.1:9: ")
    assert done.stderr.count("\n") == 2
    assert not (tmp_path / "state" / "cloud").exists()
