"""Errors become one clear line and the exit code of their family."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml
from invoke import Config, Context, Exit

from localcloud.errors import BusyError, CloudError, FolderError
from taxi_etl.errors import EtlError, LoadFailed, WrongUse
from taxistack import errors
from taxistack.commands.boundary import command

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def ctx(tmp_path):
    settings = yaml.safe_load((ROOT / "invoke.yaml").read_text())
    settings["taxistack"]["state"] = str(tmp_path)
    return Context(Config(overrides=settings))


CASES = [
    (errors.UsageError("x"), 2),
    (errors.MissingError("x"), 3),
    (errors.LockedError("x"), 4),
    (errors.FailedError("x"), 1),
    (errors.TransientError("x"), 1),
    (CloudError("x"), 1),
    (FolderError("x"), 3),
    (BusyError("x"), 4),
    (WrongUse("x"), 2),
    (LoadFailed("x"), 1),
    (RuntimeError("x"), 1),
    (KeyboardInterrupt(), 130),
]


@pytest.mark.parametrize(("raised", "code"), CASES, ids=lambda case: type(case).__name__)
def test_an_error_ends_with_the_code_of_its_family(ctx, capsys, raised, code):
    with pytest.raises(Exit) as ended, command(ctx):
        raise raised
    assert ended.value.code == code
    told = capsys.readouterr()
    assert told.out == ""
    assert "error: " in told.err
    assert "Traceback" not in told.err


def test_the_hint_stands_on_a_line_of_its_own(ctx, capsys):
    with pytest.raises(Exit), command(ctx):
        raise errors.MissingError("no stack", hint="invoke up")
    assert "\n  try: invoke up\n" in capsys.readouterr().err


def test_a_long_error_is_one_line(ctx, capsys):
    long = "http://127.0.0.1:8080/a/long/address " * 8 + "end"
    with pytest.raises(Exit), command(ctx):
        raise errors.FailedError(long, hint=long)
    assert capsys.readouterr().err == f"error: {long}\n  try: {long}\n"


def test_debug_shows_where(ctx, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["invoke", "up", "--debug"])
    with pytest.raises(Exit), command(ctx):
        raise errors.FailedError("x")
    assert "Traceback" in capsys.readouterr().err


KEY = "b6FOFF7VDNxfKShG0zJliGgYXp6lsc25rKUkJbX9_IE"
ASKED = f"GET http://127.0.0.1:15000/{KEY}/storage/v1/b/lake: 503"


@pytest.mark.parametrize("error", [errors.FailedError(ASKED), EtlError(ASKED), OSError(ASKED)])
def test_no_key_of_a_local_cloud_is_told_with_debug_either(ctx, capsys, monkeypatch, error):
    monkeypatch.setattr("sys.argv", ["invoke", "up", "--debug"])
    with pytest.raises(Exit), command(ctx):
        raise error from RuntimeError(ASKED)
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert KEY not in told
    assert "127.0.0.1:15000/(key)/storage/v1/b/lake: 503" in told


def test_a_planned_end_keeps_its_code(ctx):
    with pytest.raises(Exit) as ended, command(ctx):
        raise Exit(code=10)
    assert ended.value.code == 10


def test_a_question_without_a_terminal_wants_yes(ctx, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(Exit) as ended, command(ctx) as (_, console):
        console.confirm("Destroy it?")
    assert ended.value.code == 2
    assert "--yes" in capsys.readouterr().err


def test_with_json_stdout_is_one_document(ctx, capsys):
    with command(ctx, json=True) as (_, console):
        console.say("on the way")
        console.result("a table", {"rows": 1})
        console.summary("done")
    told = capsys.readouterr()
    assert yaml.safe_load(told.out) == {"rows": 1}
    assert "on the way" in told.err
    assert "done" in told.err
