"""Looking for a process among those that come and go while one looks."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


def named(processes: Iterable[psutil.Process], name: str) -> list[psutil.Process]:
    """Those whose program's name begins with `name`; one that has ended has none."""
    return [one for one in processes if _told(one)["name"].startswith(name)]


def told(processes: Iterable[psutil.Process], word: str) -> list[psutil.Process]:
    """Those with `word` as a word of their command line; one that has ended has none."""
    return [one for one in processes if word in _told(one)["cmdline"]]


def _told(process: psutil.Process) -> dict:
    try:
        found = process.as_dict(["name", "cmdline"])
    except psutil.NoSuchProcess:
        return {"name": "", "cmdline": []}
    return {"name": found["name"] or "", "cmdline": found["cmdline"] or []}
