"""A line stays a line: what scripts grep is never folded, however long it is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from taxistack.console import Console

LONG = "green 2019-01 in postgres failed: " + "http://127.0.0.1:8080/a/long/address " * 8 + "end"


@pytest.mark.parametrize("tell", ["say", "summary", "failure"])
def test_a_long_line_is_one_line_in_a_pipe(capsys, tell):
    getattr(Console(), tell)(LONG)
    told = capsys.readouterr()
    assert told.out + told.err == f"{LONG}\n"


def test_square_brackets_are_no_markup(capsys):
    Console().failure("[2/6] [Errno 111] [red]")
    assert capsys.readouterr().err == "[2/6] [Errno 111] [red]\n"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_reader_that_has_gone_is_no_error_to_report(as_json):
    program = (
        "import sys; sys.stdin.read(); from taxistack.console import Console;"
        f"Console(json={as_json}).result('text ' * 50_000, ['x'] * 50_000)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as writer:
        writer.stdout.close()
        writer.stdin.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 1


@pytest.mark.parametrize("tell", ["sketch", "result"])
def test_a_long_line_below_a_table_is_one_line_too(capsys, tell):
    table = Table("month")
    shown = (Group(table, Text(LONG)),) if tell == "sketch" else (Group(table, Text(LONG)), None)
    getattr(Console(), tell)(*shown)
    told = capsys.readouterr()
    assert LONG in (told.out + told.err).splitlines()
