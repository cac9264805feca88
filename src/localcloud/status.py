"""What each part does now: the supervisor's word, and the process's own figures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import psutil

from localcloud import processes
from localcloud.layout import Layout
from localcloud.parts import PARTS
from localcloud.state import PartStatus


def statuses(
    layout: Layout, known: Mapping[str, int], parts: dict[str, dict[str, Any]] | None
) -> list[PartStatus]:
    """One entry a part. `parts`: what the supervisor knows of each; None when it is gone."""
    info = parts or {}
    return [_status(layout, name, known.get(name), info.get(name)) for name in PARTS]


def _status(layout: Layout, name: str, port: int | None, info: dict[str, Any] | None) -> PartStatus:
    if info is not None:
        state, detail = info["statename"], info["description"]
        process = _process(info["pid"])
    else:
        process = processes.find(processes.read(layout.run / f"{name}.json"))
        state, detail = ("ORPHANED", "its supervisor is gone") if process else ("STOPPED", "")
    uptime, memory, share = _figures(process) if process else (None, 0, 0.0)
    return PartStatus(
        name=name,
        state=state,
        pid=process.pid if process else None,
        port=port,
        uptime_s=uptime,
        rss_bytes=memory,
        cpu=share,
        log=layout.log(name),
        detail=detail,
    )


def _process(pid: int) -> psutil.Process | None:
    if pid:
        with contextlib.suppress(psutil.Error):
            return psutil.Process(pid)
    return None


def _figures(process: psutil.Process) -> tuple[float | None, int, float]:
    """Seconds since its start, memory with its children, share of a core since its start."""
    memory, seconds = 0, 0.0
    try:
        uptime = max(time.time() - process.create_time(), 0.01)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return None, 0, 0.0
    for member in family:
        with contextlib.suppress(psutil.Error):
            memory += member.memory_info().rss
            times = member.cpu_times()
            seconds += times.user + times.system
    return uptime, memory, seconds / uptime
