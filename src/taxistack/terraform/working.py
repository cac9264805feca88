"""While Terraform works on a stack, nobody on this machine ends what it works with.

Terraform waits for its provider for ever when that has gone away: the local cloud's provider is one
of the parts that `stop` and `down` end.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from taxistack import folder_lock
from taxistack.errors import FailedError, LockedError

WAIT_S = 300.0


@contextmanager
def working(data_dir: Path) -> Iterator[None]:
    """Terraform runs within it. `data_dir`: Terraform's files of the stack; several may work."""
    with _opened(data_dir) as descriptor:
        if descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


def refuse_a_dead_provider(environment: Mapping[str, str]) -> None:
    """Raise FailedError when a provider that Terraform would be told of has ended.

    `environment`: Terraform's. It was there when the command began; `stop` came in between.
    """
    told_of = json.loads(environment.get("TF_REATTACH_PROVIDERS") or "{}")
    for name, provider in told_of.items():
        if not psutil.pid_exists(provider["Pid"]):
            raise FailedError(
                f"the provider {name.rpartition('/')[2]} of the local cloud was stopped meanwhile",
                hint="run the command again",
            )


@contextmanager
def at_rest(data_dir: Path, say: Callable[[str], object], wait: float = WAIT_S) -> Iterator[None]:
    """No Terraform runs within it; one that does is waited for, and `say` is told so once.

    Raises LockedError when it runs for longer than `wait` seconds.
    """
    with _opened(data_dir) as descriptor:
        if descriptor is not None:
            folder_lock.wait_for(
                descriptor,
                wait,
                lambda: say("another command runs Terraform on this stack: waiting for it"),
                lambda: LockedError(
                    "another command has been running Terraform on this stack for minutes",
                    hint="wait for it, or end it",
                ),
            )
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """The folder, to be locked; None where there is none yet."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
