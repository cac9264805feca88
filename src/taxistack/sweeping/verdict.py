"""What a sweep is asked for, and what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from taxistack.console import Console

BUILD = "engine build"
"""The kind of thing of which every clone of the machine has left one."""


@dataclass(frozen=True)
class Order:
    """What to do: tell, or with `change` remove what has not changed for `limit`.

    `down`: takes a target's stack down (`taxistack.commands.provision.down`).
    """

    console: Console
    limit: timedelta
    change: bool
    down: Callable[..., None]


@dataclass(frozen=True)
class Verdict:
    """What becomes of one thing that was found, and why. `goes`: it is to be removed."""

    kind: str
    name: str
    goes: bool
    why: str

    def as_json(self) -> dict[str, Any]:
        """One row."""
        return dict(vars(self))


@dataclass
class Found:
    """Everything that was looked at; `left`: what should have gone and is there, in words."""

    verdicts: list[Verdict] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def in_words(length: timedelta) -> str:
    """The largest unit of which it is two or more, as a person says it: `3 h`."""
    minutes = int(length.total_seconds() // 60)
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} d"
    return f"{minutes // 60} h" if minutes >= 120 else f"{minutes} min"


def quiet(console: Console) -> Console:
    """The console of a `down` within a sweep: it asks nothing, and its result is a line."""
    return _Quiet(json=console.json, assume_yes=True, out=console.out, err=console.err)


class _Quiet(Console):
    def result(self, renderable: Any, data: Any) -> None:
        """Nothing: the sweep tells what is left."""

    def summary(self, text: str) -> None:
        """A line on the way."""
        self.say(f"  {text}")
