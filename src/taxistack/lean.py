"""Keeps a command quick: what Google's libraries and httpx do without is not imported.

The same as in the ETL's steps (see `taxi_etl.lean`): half a second of each command. Nothing in a
command is asynchronous either, so httpx needs neither of the two loops that it can run on.
"""

from __future__ import annotations

import sys

from taxi_etl import lean
from taxi_etl.later import put_off
from taxistack.interrupts import is_a_command

_OF_HTTPX = {"anyio", "click", "trio"}
"""Two loops, and its command line."""
_OF_A_LOGIN = ("google.oauth2.reauth",)  # who logs in with a security key is asked again


def hide_optional_packages() -> None:
    """Make `import` of the optional packages fail in this process, where it is a command of ours.

    What is needed for signing, or for a token, comes when somebody asks for one: that a command
    does first and alone (`google.credentials.find`), before it has threads that do.
    Tests and notebooks that import the package keep theirs.
    """
    if is_a_command():
        lean.hide_optional_packages({*lean.OPTIONAL, *_OF_HTTPX})
        put_off((*lean.LATER, *_OF_A_LOGIN))


def collect_seldom() -> None:
    """Let the garbage collector look as seldom as in a step, in a command of ours."""
    if is_a_command():
        lean.collect_seldom()


def bring_back(*names: str) -> None:
    """Let `import` find these again, for the one command that can't do without them."""
    for name in names:
        if sys.modules.get(name, sys) is None:
            del sys.modules[name]
