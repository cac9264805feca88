"""What Invoke reads on the command line, made to mean what it says.

Invoke 3.0.3 takes its own flags after a task's name too, and most of them mean nothing there:
`down --dry` destroyed, `down --version` would. It ends an unknown flag with code 1, which is our
"ran and failed", and shows a traceback for a number that is none. It gives every flag of a task
the first letter that is free, so that one letter means something else in each of them. A flag is a
number only when its default is one. None of this has a setting, so its methods are wrapped where it
looks for them (`Program.parse_tasks`, `Parser.parse_argv`, `Argument.set_value`); the letters, and
the numbers that may be left out, are `Command`'s.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import invoke
from invoke import Exit, Program, Task
from invoke.exceptions import ParseError
from invoke.parser import Argument, Parser, ParserContext

LETTERS = {"dry_run": "n", "json": "j", "yes": "y"}
"""The letters of flags, the same in every command; every other flag is written out."""

RUNS_NO_SHELL = "taxistack's commands run nothing through Invoke's shell"
# Invoke's flags that would be taken and do nothing, wherever they stand; what to write instead.
MEANINGLESS = {
    "command-timeout": RUNS_NO_SHELL,
    "echo": f"{RUNS_NO_SHELL}; what they do is told as they go",
    "hide": f"{RUNS_NO_SHELL}; results go to stdout and progress to stderr: 2>/dev/null hides it",
    "prompt-for-sudo-password": f"{RUNS_NO_SHELL}, and nothing with sudo",
    "pty": RUNS_NO_SHELL,
    "warn-only": f"{RUNS_NO_SHELL}; what fails ends with its exit code",
}
# Those that Invoke reads before it looks at a command's name, and passes over after it.
FIRST = (
    "collection", "config", "print-completion-script", "search-root", "version", "write-pyc",
)  # fmt: skip
ABOUT_DRY = "has no dry run"


class Command(Task[Any]):
    """A task whose flags have no letters but those of `LETTERS`.

    A flag `int | None` is a number, and None where it was not given: 0 is a value like any other.
    """

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Invoke's reading of one parameter, with our letter and kind."""
        options = super().arg_opts(name, default, taken_names)
        if inspect.signature(self.body).parameters[name].annotation == "int | None":
            options["kind"] = int
        if name in LETTERS:
            options["names"].append(LETTERS[name])
        return options


task = functools.partial(invoke.task, klass=Command, auto_shortflags=False)
"""Invoke's decorator for the commands of taxistack."""


def refuse_wrong_use() -> None:
    """Make wrong flags, values and names end with one line on stderr and code 2.

    Doing it twice, as who imports the tasks again does, changes nothing more.
    """
    wrappers: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
        (Program, "parse_tasks", _meaning_what_it_says),
        (Parser, "parse_argv", _ending_with_2),
        (Argument, "set_value", _naming_its_flag),
    )
    for owner, name, wrap in wrappers:
        method = getattr(owner, name)
        if not hasattr(method, "__wrapped__"):
            setattr(owner, name, wrap(method))


def _wrong(message: str, hint: str) -> Exit:
    return Exit(f"error: {message}\n  try: {hint}", code=2)


# --- Invoke's own flags ---------------------------------------------------------------------------


def _meaning_what_it_says(parse: Callable[[Program], None]) -> Any:
    @functools.wraps(parse)
    def parse_tasks(self: Program) -> None:
        parse(self)
        if self.tasks:
            _refuse_core_flags(self)
            if self.args.dry.value:
                _run_dry(self.tasks)

    return parse_tasks


def _refuse_core_flags(program: Program) -> None:
    """Raise Exit for a flag of Invoke's that would do nothing where it stands."""
    for name, why in MEANINGLESS.items():
        if program.args[name].got_value:
            raise _wrong(f"{_spelt(program.args[name])} means nothing here: {why}", _help(program))
    after = program.core_via_tasks.args
    for name in FIRST:
        if name in after and after[name].got_value:
            raise _wrong(
                f"{_spelt(after[name])} is Invoke's own flag and stands before the command's name",
                _help(program),
            )


def _run_dry(commands: Iterable[ParserContext]) -> None:
    """`--dry` is `--dry-run` for a command that has it; any other is not run at all."""
    for command in commands:
        if "dry-run" not in command.args:
            raise _wrong(
                f"--dry: {command.name} {ABOUT_DRY}; nothing was run",
                _INSTEAD.get(str(command.name), f"invoke --help {command.name}"),
            )
    for command in commands:
        command.args["dry-run"].value = True


# What only looks, for the commands of which somebody might want a dry run.
_INSTEAD = {
    "demo": "invoke plan, and invoke backfill --start … --end … --dry-run",
    "plan": "invoke plan: it only looks",
    "verify": "invoke verify without --repair: it only looks",
}


def _help(program: Program) -> str:
    return f"invoke --help {program.tasks[0].name} lists the flags of {program.tasks[0].name}"


def _spelt(argument: Argument) -> str:
    return "/".join(
        ("-" if len(name) == 1 else "--") + name for name in sorted(argument.names, key=len)
    )


# --- what can't be read ---------------------------------------------------------------------------


def _ending_with_2(parse: Any) -> Any:
    @functools.wraps(parse)
    def parse_argv(self: Parser, argv: list[str]) -> Any:
        if {"-h", "--help"} & set(argv):  # Invoke would ask for the arguments first
            for known in self.contexts.values():
                known.positional_args = []
        try:
            return parse(self, argv)
        except ParseError as error:
            raise _wrong(_readable(str(error)), _nearest(self, argv, error)) from error

    return parse_argv


def _readable(message: str) -> str:
    # "'run' did not receive required positional arguments: 'flow'"
    name, mark, wanted = message.partition(" did not receive required positional arguments: ")
    return f"{name.strip(chr(39))} needs {wanted.strip(chr(39)).upper()}" if mark else message


def _nearest(parser: Parser, argv: list[str], error: ParseError) -> str:
    """The command or flag that was probably meant; where to look when there is none like it."""
    context = error.context
    if context is not None and context.name not in parser.contexts:
        context = None  # Invoke's own flags, before any command
    word = next((word for word in argv if repr(word.partition("=")[0]) in str(error)), "")
    word = word.partition("=")[0]
    word = "" if context is not None and word == context.name else word
    if word.startswith("-"):
        known = [*context.flags] if context is not None else []
    else:
        known = [*parser.contexts]
    near = difflib.get_close_matches(word, known, 1) if word else []
    if near:
        before = f"{context.name} " if context is not None and word.startswith("-") else ""
        return f"did you mean: invoke {before}{near[0]}"
    if context is not None:
        return f"invoke --help {context.name} lists the flags of {context.name}"
    return "invoke --list names the commands, invoke --help NAME their flags"


def _naming_its_flag(assign: Any) -> Any:
    @functools.wraps(assign)
    def set_value(self: Argument, value: Any, cast: bool = True) -> None:
        try:
            assign(self, value, cast)
        except ValueError:  # int() of a text: the only conversion that the tasks ask for
            flag = f"--{str(self.name).replace('_', '-')}"
            raise ParseError(f"{flag} {value!r}: must be a whole number") from None

    return set_value
