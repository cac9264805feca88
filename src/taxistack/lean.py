"""Keeps a command quick: what Google's libraries and httpx do without is not imported.

The same as in the ETL's steps (see `taxi_etl.lean`): half a second of each command. Nothing in a
command is asynchronous either, so httpx needs neither of the two loops that it can run on.
"""

from __future__ import annotations

import gc
import sys

from taxi_etl import lean
from taxistack.interrupts import is_a_command

_OURS = {"rich"}
_LOOPS = {"anyio", "trio"}
_YOUNG = 50_000  # new objects until the collector looks at them; Python's own number is 700


def hide_optional_packages() -> None:
    """Make `import` of the optional packages fail in this process, where it is a command of ours.

    What is needed for signing comes when somebody signs: with a key of a service account, which a
    command reads and first uses alone (`google.credentials.find`), before it has threads that do.
    Tests and notebooks that import the package keep theirs.
    """
    if is_a_command():
        lean.hide_optional_packages((set(lean.OPTIONAL) | _LOOPS) - _OURS)
        lean.put_off()


def collect_seldom() -> None:
    """Let the garbage collector look seldom: what loading makes stays, and is most that there is.

    With Python's own numbers it takes a twelfth of a command.
    """
    if is_a_command():
        gc.set_threshold(_YOUNG)


def bring_back(*names: str) -> None:
    """Let `import` find these again, for the one command that can't do without them."""
    for name in names:
        if sys.modules.get(name, sys) is None:
            del sys.modules[name]
