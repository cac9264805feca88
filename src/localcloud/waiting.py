"""Starting parts and waiting until they answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from localcloud import ports, supervisor
from localcloud.errors import PartError
from localcloud.layout import Layout
from localcloud.parts import PARTS

_POLL = 0.05
_TRIES = 5  # as often as the supervisor tries a program that does not live for a second
_DOWN = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")


def start_and_wait(layout: Layout, known: Mapping[str, int], names: Sequence[str]) -> None:
    """Start those of `names` that are down; return when all answer. Raises as `wait` does."""
    start(layout, names)
    wait(layout, known, names)


def start(layout: Layout, names: Sequence[str]) -> None:
    """Start those of `names` that are down."""
    info = supervisor.part_info(layout)
    for name in names:
        if info[name]["statename"] in _DOWN:
            supervisor.start_part(layout, name)


def wait(layout: Layout, known: Mapping[str, int], names: Sequence[str]) -> None:
    """Return when all of `names` answer; whoever started them.

    Raises PartError for the first that is given up by the supervisor, or that does not answer
    within its time.
    """
    begun = time.monotonic()
    waiting = list(names)
    seen: dict[str, set[int]] = {name: set() for name in names}
    while True:
        waiting = [name for name in waiting if not PARTS[name].ready(layout, known.get(name, 0))]
        if not waiting:
            return
        info = supervisor.part_info(layout)
        for name in waiting:
            seen[name] |= {info[name]["pid"]} - {0}
            given_up = info[name]["statename"] in ("FATAL", "UNKNOWN")
            if given_up or len(seen[name]) > _TRIES:
                raise _failed(layout, name, known.get(name), info[name]["spawnerr"] or "it crashes")
            if time.monotonic() - begun > PARTS[name].start_seconds:
                seconds = PARTS[name].start_seconds
                raise _failed(layout, name, known.get(name), f"no answer within {seconds} s")
        time.sleep(_POLL)


def _failed(layout: Layout, name: str, port: int | None, reason: str) -> PartError:
    log = tail(layout, name)
    hint = f"The whole log: {layout.log(name)}"
    if port and not ports.is_free(port) and "in use" in log.lower():
        hint = f"Port {port} is held by {ports.holder(port)}; `stop`, then `start` takes another."
    return PartError(name, f"it did not start: {reason}", log=log, hint=hint)


def tail(layout: Layout, name: str, lines: int = 12) -> str:
    """The last lines of a part's log."""
    try:
        with layout.log(name).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 16384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
