"""The edge between Invoke and the kit: settings in, exit codes and clear messages out."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from invoke import Context, Exit

from taxi_etl.errors import EtlError, without_key
from taxistack import interrupts
from taxistack.console import Console
from taxistack.errors import TaxistackError, UsageError
from taxistack.settings import Settings, from_environment
from taxistack.targets import Target, open_target


def debugging() -> bool:
    """Whether Invoke's own `--debug` was given, before or after the task's name."""
    return "--debug" in sys.argv or bool(os.environ.get("INVOKE_DEBUG"))


def check_environment() -> None:
    """End with 2 when a variable names no setting or breaks a rule.

    Called before any task: Invoke itself reads the variables then, and trips over such ones.
    """
    try:
        from_environment(os.environ)
    except UsageError as error:
        raise Exit(f"error: {error.message}", code=error.exit_code) from error


def _settings(ctx: Context, overrides: dict[str, Any]) -> Settings:
    section = ctx.config.get("taxistack")
    if not isinstance(section, dict):
        raise UsageError(f"invoke.yaml: `taxistack` is {section!r}, and must be a list of settings")
    return Settings.load({**section, **from_environment(os.environ)}, **overrides)


def _fail(console: Console, message: str, hint: str | None, code: int) -> Exit:
    console.failure(f"error: {without_key(message)}")
    if hint:
        console.say(f"  try: {hint}")
    if debugging():
        sys.stderr.write(without_key(traceback.format_exc()))
    return Exit(code=code)


@contextlib.contextmanager
def command(
    ctx: Context, *, json: bool = False, yes: bool = False, private: bool = True, **overrides: Any
) -> Iterator[tuple[Target, Console]]:
    """Run one command: hands out its target and console, and maps errors to exit codes.

    `private`: what it writes is this user's alone, whatever the shell says; not so for what is run
    on the clone itself. `overrides`: flags that stand for a setting; None where the flag was not
    given.
    """
    if private:
        os.umask(0o077)
    console = Console(json=json, assume_yes=yes)
    target: Target | None = None
    try:
        interrupts.give_back()
        target = open_target(_settings(ctx, overrides))
        yield target, console
    except TaxistackError as error:
        raise _fail(console, error.message, error.hint, error.exit_code) from error
    except EtlError as error:
        raise _fail(console, str(error), None, error.exit_code) from error
    except KeyboardInterrupt as error:
        raise _fail(console, str(error) or "interrupted", None, 130) from error
    except Exception as error:
        if isinstance(error, Exit):
            raise
        explained = target.explained(error) if target is not None else None
        if explained is not None:
            raise _fail(console, explained.message, explained.hint, explained.exit_code) from error
        message = f"unexpected {type(error).__name__}: {error}"
        hint = "the same command with --debug shows where; please report it"
        raise _fail(console, message, hint, 1) from error
    finally:
        if target is not None:
            target.forget()
