"""What Invoke refuses on the command line ends like everything else that is refused here.

Invoke 3.0.3 ends an unknown flag with code 1, which is our "ran and failed", and shows a
traceback for a number that is none (`Program.run`, `Argument.set_value`). It has no setting for
either, so the two methods are wrapped where it looks for them.
"""

from __future__ import annotations

import functools
from typing import Any

from invoke import Exit
from invoke.exceptions import ParseError
from invoke.parser import Argument, Parser


def refuse_wrong_use() -> None:
    """Make wrong flags, values and task names end with one line on stderr and code 2."""
    Parser.parse_argv = _ending_with_2(Parser.parse_argv)
    Argument.set_value = _naming_its_flag(Argument.set_value)


def _ending_with_2(parse: Any) -> Any:
    @functools.wraps(parse)
    def parse_argv(self: Parser, argv: list[str]) -> Any:
        try:
            return parse(self, argv)
        except ParseError as error:
            hint = "invoke --list names the commands, invoke --help NAME their flags"
            raise Exit(f"error: {error}\n  try: {hint}", code=2) from error

    return parse_argv


def _naming_its_flag(assign: Any) -> Any:
    @functools.wraps(assign)
    def set_value(self: Argument, value: Any, cast: bool = True) -> None:
        try:
            assign(self, value, cast)
        except ValueError:  # int() of a text: the only conversion that the tasks ask for
            flag = f"--{self.name.replace('_', '-')}"
            raise ParseError(f"{flag} {value!r}: must be a whole number") from None

    return set_value
