"""Whether files still hold the bytes that they are known by: by hash, and cheaply ever after.

A file is hashed once. What was seen of it then (size, times, inode) is noted beside it, and while
that is so it is not read again: whoever writes into a file changes the time of its last change,
which no program can set. The note is as private as the files are, and no more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

NOTE = ".hashes.json"
_READERS = 4
# A file that was written a moment ago may be written again within one tick of the file system's
# clock: what is noted of it would not tell.
_TICK_NS = 100_000_000


def changed(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """The files of `folder` that are not there or have another SHA-256 than `wanted` says."""
    noted = _read(folder / NOTE)
    seen = {name: _look(folder / name) for name in wanted}
    unknown = [name for name, look in seen.items() if look and noted.get(name, [])[:-1] != look]
    with ThreadPoolExecutor(_READERS) as pool:
        read = pool.map(lambda name: _digest(folder / name), unknown)
        fresh = dict(zip(unknown, read, strict=True))
    digests = {name: fresh[name] if name in fresh else noted.get(name, [""])[-1] for name in wanted}
    if fresh:
        _write(folder / NOTE, noted, {name: [*(seen[name] or ()), fresh[name]] for name in fresh})
    return [name for name in wanted if seen[name] is None or digests[name] != wanted[name]]


def _look(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _digest(path: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def _read(path: Path) -> dict[str, list[Any]]:
    try:
        seal = json.loads(path.read_text(encoding="ascii"))
        return {name: look for name, look in seal.items() if isinstance(look, list) and look}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(path: Path, noted: dict[str, list[Any]], fresh: Mapping[str, list[Any]]) -> None:
    settled = time.time_ns() - _TICK_NS
    kept = {name: look for name, look in fresh.items() if look[-1] and look[2] < settled}
    new = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a cache that can't be written is read again, no more
        try:
            new.write_text(json.dumps({**noted, **kept}), encoding="ascii")
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
