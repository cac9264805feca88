"""What a person or a script sees: results on stdout, progress and questions on stderr.

A line of text is never folded by us: a terminal does that, and a pipe keeps it whole for grep.
Colour and live views appear on a terminal only, and `NO_COLOR` switches colour off. With
`--json` the result is one JSON document and nothing else on stdout.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from taxistack.errors import UsageError

# A pipe has no width of its own; tables that wrap at 80 columns there are hard to grep.
PIPE_COLUMNS = 140
# A table gives its room to columns of short texts first.
WHOLE_UP_TO = 24
# What a terminal obeys instead of showing it: colours and other commands, then what is left of
# control characters, then those that turn the direction of a text.
_COMMANDS = re.compile(
    r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def plain(text: str) -> str:
    """A text of somebody else's (a log, an output, an answer) without commands to the terminal."""
    return _COMMANDS.sub("", text)


def _rich(stderr: bool) -> RichConsole:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_COLUMNS
    return RichConsole(stderr=stderr, width=width, highlight=False, emoji=False)


def _draw(stream: RichConsole, renderable: Any) -> None:
    """Print a table, a line, or a group of both; a line stays whole beside a table too."""
    for part in renderable.renderables if isinstance(renderable, Group) else [renderable]:
        stream.print(part, soft_wrap=isinstance(part, Text))


def counted(number: int, noun: str) -> str:
    """A number of things, for a line of text: `1 month`, `1,200 months`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def moment(when: datetime | None) -> str:
    """A moment of these days in eleven columns, UTC: `11-26 23:01`; nothing for none."""
    return f"{when.astimezone(UTC):%m-%d %H:%M}" if when else ""


@dataclass
class Console:
    """The two streams of one command.

    `json`: print the result as JSON instead of text.
    `assume_yes`: answer every question with yes (CI).
    """

    json: bool = False
    assume_yes: bool = False
    out: RichConsole = field(default_factory=lambda: _rich(stderr=False))
    err: RichConsole = field(default_factory=lambda: _rich(stderr=True))

    @property
    def live(self) -> bool:
        """Whether progress may be redrawn in place."""
        return self.err.is_terminal and not os.environ.get("CI")

    def say(self, text: str) -> None:
        """Tell progress, a line at a time (stderr)."""
        self.err.print(plain(text), markup=False, soft_wrap=True)

    def failure(self, text: str) -> None:
        """Tell what failed, in one line (stderr)."""
        self.err.print(plain(text), style="red", markup=False, soft_wrap=True)

    def result(self, renderable: Any, data: Any) -> None:
        """Give the result: `renderable` for people, or `data` (JSON-able) with `--json`."""
        if self.json:
            self.out.out(json.dumps(data, indent=2, default=str), highlight=False)
        elif renderable is not None:
            _draw(self.out, renderable)

    def line(self, text: str) -> None:
        """Give a line of a text that is the result itself: of a log (stdout)."""
        self.out.print(plain(text), markup=False, soft_wrap=True)

    def sketch(self, renderable: Any) -> None:
        """Show a table that is not the result, such as a plan, on stderr."""
        _draw(self.err, renderable)

    def summary(self, text: str) -> None:
        """End with one line: on stdout for people, on stderr when stdout is JSON."""
        (self.err if self.json else self.out).print(plain(text), markup=False, soft_wrap=True)

    def confirm(self, question: str) -> bool:
        """Ask on the terminal; without one the answer must come as `--yes`."""
        if self.assume_yes:
            return True
        if not sys.stdin.isatty():
            raise UsageError(f"{question} There is no terminal to ask on: say --yes.")
        self.err.print(f"{plain(question)} [y/N] ", end="", markup=False)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A plain table; a column whose name ends with `#` is a number and stands on the right."""
    built = Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    for column in columns:
        number = column.endswith("#")
        built.add_column(column.rstrip("#"), justify="right" if number else "left")
    for row in rows:
        built.add_row(*("" if cell is None else Cell(plain(str(cell))) for cell in row))
    return built


@dataclass(frozen=True)
class Cell:
    """A text in a table; without the room for it its middle goes, and its ends tell it apart."""

    text: str

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> RenderResult:
        """The text on one line."""
        yield Text(shortened(self.text, options.max_width), no_wrap=True, justify=options.justify)

    def __rich_measure__(self, console: RichConsole, options: ConsoleOptions) -> Measurement:
        """Up to its whole length; short texts are never shortened."""
        length = cell_len(self.text)
        return Measurement(min(length, WHOLE_UP_TO), length)


def shortened(text: str, width: int) -> str:
    """The text in `width` columns: most of the room goes to the end, where names differ."""
    if cell_len(text) <= width or width < 3:
        return text
    head = (width - 1) // 4
    return f"{text[:head]}…{text[head + 1 - width :]}"
