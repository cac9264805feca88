"""Invoke's own flags: none is taken for a real run, and `--dry` changes nothing anywhere."""

from __future__ import annotations

import pytest
from invoke import Exit, Program

from taxistack.commands.flags import LETTERS
from taxistack.reference import arguments, collection

HAVE_A_DRY_RUN = {"sweep", "up", "down", "deploy-flows", "backfill"}


def parsed(*argv: str) -> Program:
    """A command line as far as Invoke reads it before it runs anything."""
    program = Program(namespace=collection(), name="invoke")
    program.create_config()
    program.parse_core(["invoke", *argv])
    program.parse_collection()
    program.parse_tasks()
    return program


def refused(*argv: str) -> str:
    with pytest.raises(Exit) as ended:
        parsed(*argv)
    assert ended.value.code == 2
    return ended.value.message


@pytest.mark.parametrize("command", sorted(HAVE_A_DRY_RUN))
@pytest.mark.parametrize(
    "line",
    [
        ("{}", "--dry"), ("{}", "-R"), ("--dry", "{}"), ("-R", "{}"), ("{}", "--dry-run"),
        ("{}", "-n"),
    ],
)  # fmt: skip
def test_dry_is_a_dry_run_of_every_command_that_has_one(command, line):
    program = parsed(*(word.format(command) for word in line))
    assert [one.args["dry-run"].value for one in program.tasks] == [True]


def test_dry_is_for_every_command_of_the_line():
    program = parsed("down", "--yes", "up", "--dry")
    assert [one.args["dry-run"].value for one in program.tasks] == [True, True]


def test_a_command_without_a_dry_run_is_not_run_and_none_beside_it():
    without = set(collection().task_names) - HAVE_A_DRY_RUN
    needs = {"run": ["hello_world"], "cancel": ["x"]}
    for command in sorted(without):
        told = refused("up", command, *needs.get(command, []), "-R")
        assert f"--dry: {command} has no dry run; nothing was run" in told


@pytest.mark.parametrize(
    ("flag", "named"),
    [
        (["--echo"], "-e/--echo"),
        (["-e"], "-e/--echo"),
        (["--warn-only"], "-w/--warn-only"),
        (["-w"], "-w/--warn-only"),
        (["--pty"], "-p/--pty"),
        (["-p"], "-p/--pty"),
        (["--hide=both"], "--hide"),
        (["--command-timeout", "3"], "-T/--command-timeout"),
        (["--prompt-for-sudo-password"], "--prompt-for-sudo-password"),
    ],
)
def test_a_flag_that_means_nothing_here_is_refused_before_and_after_a_command(flag, named):
    for line in (["down", "--yes", *flag], [*flag, "down", "--yes"]):
        assert f"{named} means nothing here" in refused(*line)


@pytest.mark.parametrize(
    "flag", [["--version"], ["-V"], ["--config", "x"], ["-f", "x"], ["--write-pyc"],
             ["--print-completion-script", "bash"]],
)  # fmt: skip
def test_a_flag_that_invoke_reads_first_is_refused_after_a_command(flag):
    assert "stands before the command's name" in refused("down", "--yes", *flag)


@pytest.mark.parametrize("flag", ["--debug", "-d"])
def test_debug_is_for_both_places(flag):
    assert parsed("down", flag).args.debug.value
    assert parsed(flag, "down").args.debug.value


@pytest.mark.parametrize("line", [["cancel", "--help"], ["--help", "cancel"], ["run", "-h"]])
def test_help_asks_for_no_argument(line):
    assert parsed(*line).args.help.value in line


def test_a_letter_means_one_thing_in_every_command_and_none_of_invokes():
    tasks = collection()
    letters: dict[str, set[str]] = {}
    for name in tasks.task_names:
        for argument in arguments(tasks[name]):
            for letter in (one for one in argument.names if len(one) == 1):
                letters.setdefault(letter, set()).add(argument.name)
    assert letters == {letter: {name} for name, letter in LETTERS.items()}
    invokes = {name for argument in Program().core_args() for name in argument.names}
    assert not set(letters) & invokes


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (["bakcfill"], "invoke backfill"),
        (["deploy_flow"], "invoke deploy-flows"),
        (["backfill", "--strat", "2019-01"], "invoke backfill --start"),
        (["status", "--jsn"], "invoke status --json"),
        (["run", "hello_world", "--inputs=a=1"], "invoke run --input"),
    ],
)
def test_what_was_probably_meant_is_said(line, meant):
    assert refused(*line).endswith(f"did you mean: {meant}")


def test_nothing_is_guessed_where_nothing_is_near():
    assert "invoke --list names the commands" in refused("zzzz")
    assert "invoke --help backfill lists" in refused("backfill", "--zzzz")


def test_an_argument_that_is_missing_is_named():
    assert "cancel needs NAME" in refused("cancel")
