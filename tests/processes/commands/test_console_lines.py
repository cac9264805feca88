"""A line stays a line: what scripts grep is never folded, however long it is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from taxistack.console import Console, shortened, table

LONG = "green 2019-01 in postgres failed: " + "http://127.0.0.1:8080/a/long/address " * 8 + "end"


@pytest.mark.parametrize("tell", ["say", "summary", "failure"])
def test_a_long_line_is_one_line_in_a_pipe(capsys, tell):
    getattr(Console(), tell)(LONG)
    told = capsys.readouterr()
    assert told.out + told.err == f"{LONG}\n"


def test_square_brackets_are_no_markup(capsys):
    Console().failure("[2/6] [Errno 111] [red]")
    assert capsys.readouterr().err == "[2/6] [Errno 111] [red]\n"


COMMANDS = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2Jgone\r\x08 \u202ereversed \x9bbell\x07 :warning:"
)


@pytest.mark.parametrize("tell", ["say", "summary", "failure", "line"])
def test_a_text_commands_no_terminal(capsys, tell):
    """A flow's log is somebody else's text: it must not clear a screen or hide what it says."""
    getattr(Console(), tell)(COMMANDS)
    told = capsys.readouterr()
    assert told.out + told.err == "red  gone reversed bell :warning:\n"


def test_nor_does_a_cell_of_a_table(capsys):
    Console().result(table("Outputs", ["value"], [(COMMANDS,)]), None)
    assert "red  gone reversed bell :warning:" in capsys.readouterr().out


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


ALIKE = [
    f'module.kestra[0].google_secret_manager_secret{kind}["{name}"]'
    for kind in (".this", "_version.this", "_iam_member.kestra")
    for name in ("ALARM_WEBHOOK", "KESTRA_PASSWORD", "POSTGRES_PASSWORD")
]


@pytest.mark.parametrize("width", [40, 45, 50, 60, 80])
def test_what_is_shortened_fits_and_stays_apart(width):
    short = [shortened(text, width) for text in ALIKE]
    assert len(set(short)) == len(ALIKE)
    assert max(map(len, short)) <= width
    assert shortened("short", width) == "short"


def test_a_table_of_long_names_fits_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    rows = [(text, "created", "0.1", "recorded only") for text in ALIKE]
    Console().result(table("Resources", ["resource", "action", "s#", "effect"], rows), None)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(set(lines)) == len(ALIKE) + 2
    assert max(map(len, lines)) <= 80
