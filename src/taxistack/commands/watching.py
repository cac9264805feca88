"""`deploy-flows --watch`: what is saved is pushed, until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from taxistack.commands.flows import ANALYTICS, ETL, FLOWS, deploy_flows
from taxistack.console import Console
from taxistack.errors import FailedError, UsageError
from taxistack.targets import Target

EVERY = 0.5
"""Seconds between two looks."""
Marks = dict[Path, tuple[int, int]]


def refuse_beside(**others: bool) -> None:
    """Raise UsageError for a flag that has no meaning beside --watch."""
    for name, given in others.items():
        if given:
            raise UsageError(f"--watch and --{name.replace('_', '-')}: only one of them at a time")


def watch(
    target: Target, console: Console, *, source: str, forever: Callable[[], bool] = lambda: True
) -> None:
    """Push now and whenever a flow, a file of the ETL or a model is saved; say what is refused.

    `source`: of the first push. `forever`: asked before each look; the seam for tests. Ends with
    Ctrl-C, or with the error when the server is gone.
    """
    seen = marks((FLOWS, ETL, ANALYTICS))
    _push(target, console, source)
    console.say("watching flows/, scripts/taxi_etl/ and analytics/; Ctrl-C ends it")
    try:
        while forever():
            time.sleep(EVERY)
            now = marks((FLOWS, ETL, ANALYTICS))
            if now == seen:
                continue
            time.sleep(EVERY)
            if marks((FLOWS, ETL, ANALYTICS)) != now:  # a save may be several writes: not done yet
                continue
            console.say(f"saved: {', '.join(_changed(seen, now))}")
            seen = now
            _push(target, console, "")
    except KeyboardInterrupt:
        console.say("no longer watching")


def _push(target: Target, console: Console, source: str) -> None:
    try:
        deploy_flows(target, console, source=source)
    except (UsageError, FailedError) as error:
        console.failure(f"error: {error.message}")
        if error.hint:
            console.say(f"  try: {error.hint}")


def marks(folders: Iterable[Path]) -> Marks:
    """When each file was changed last, and its size."""
    marks: Marks = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix in (".py", ".yaml", ".yml", ".sql") and "__pycache__" not in path.parts:
                try:
                    facts = path.stat()
                except FileNotFoundError:  # an editor swaps files as it saves
                    continue
                marks[path] = (facts.st_mtime_ns, facts.st_size)
    return marks


def _changed(before: Marks, now: Marks) -> list[str]:
    return sorted(path.name for path in {*before, *now} if before.get(path) != now.get(path))
