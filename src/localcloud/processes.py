"""Which processes belong to a local cloud, and how they are ended.

A process is known by what the part's launcher recorded (process id and start time, which a
re-used id does not share), by its group, or by the mark that every part passes on in its
environment; never by its name.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import psutil

MARK = "LOCALCLOUD_ID"
_CLOCK_STEP = 1.0  # seconds; psutil derives start times from the boot time, which may be adjusted


def record(path: Path) -> None:
    """Note this process, so that it can be found when its supervisor is gone."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(identity(os.getpid())))
    fresh.replace(path)


def identity(pid: int) -> dict[str, float]:
    """What tells this process from another one that gets the same id later."""
    return {"pid": pid, "started": psutil.Process(pid).create_time()}


def find(recorded: dict[str, float] | None) -> psutil.Process | None:
    """The process that `recorded` names, when it still runs."""
    if not recorded:
        return None
    try:
        process = psutil.Process(int(recorded["pid"]))
        same = abs(process.create_time() - recorded["started"]) <= _CLOCK_STEP
        if same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (psutil.Error, KeyError, ValueError, TypeError):
        pass
    return None


def read(path: Path) -> dict[str, float] | None:
    """What `record` wrote; None when it is not there or not whole."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def belonging(mark: str, run: Path | None) -> list[psutil.Process]:
    """All living processes of the local cloud with `mark`, whose parts recorded into `run`."""
    recorded = [find(read(path)) for path in run.glob("*.json")] if run and run.is_dir() else []
    heads = [process for process in recorded if process is not None]
    processes: dict[int, psutil.Process] = {process.pid: process for process in heads}
    groups = {process.pid for process in heads}  # the supervisor makes every part a group leader
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid in own or process.status() == psutil.STATUS_ZOMBIE:
                continue
            marked = bool(mark) and process.environ().get(MARK) == mark
            if marked or os.getpgid(process.pid) in groups:
                processes.setdefault(process.pid, process)
    return list(processes.values())


def kill_below(pid: int) -> None:
    """Kill what the process has started, not the process itself: it sees to what is left."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()


def end(targets: list[psutil.Process], grace: float = 5.0) -> list[psutil.Process]:
    """Ask `targets` to end, make them after `grace` seconds; give those that live on.

    SIGINT first for a PostgreSQL server: its SIGTERM waits for the clients.
    """
    for process in targets:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    alive = _wait(targets, grace)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return _wait(alive, 5.0)


def _wait(targets: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while True:
        targets = [process for process in targets if is_alive(process)]
        if not targets or time.monotonic() > deadline:
            return targets
        time.sleep(0.05)


def is_alive_pid(pid: int) -> bool:
    """Whether there is a process with this id."""
    try:
        return is_alive(psutil.Process(pid))
    except psutil.Error:
        return False


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that only waits for its parent's notice does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
