"""Which local clouds and engine builds the cache folder knows of, and what became of them.

A local cloud is noted here when it starts and struck out when it is erased, so that one in a
folder that nobody remembers can be found. Builds are shared by all clones with the same files; when
one was last started from is told by the time of its last file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from localcloud import processes
from localcloud.kestra.build import KEPT_SECONDS
from localcloud.kestra.runtime import Build
from localcloud.layout import Layout
from localcloud.record import Record

_MARKER = "complete"  # the last file of a build; touched whenever something is started from it


@dataclass(frozen=True)
class Known:
    """One local cloud that was started on this machine."""

    id: str
    folder: Path

    @property
    def exists(self) -> bool:
        """Whether its folder is still that cloud's."""
        return Record.load(Layout(self.folder)).id == self.id

    def processes(self) -> list[psutil.Process]:
        """What lives of it, also after its folder was deleted under it.

        Another local cloud may be in that folder now: what is noted there is not of this one.
        """
        return processes.belonging(self.id, Layout(self.folder).run if self.exists else None)

    @property
    def last_change(self) -> datetime:
        """When something was last written: by a command, or by a part into its log."""
        layout = Layout(self.folder)
        places = [layout.state, *layout.logs.glob("*.log"), *layout.data("google").glob("*")]
        return _newest(places)


def note(cache: Path, id_: str, folder: Path) -> None:
    """A local cloud starts in `folder`."""
    place = cache / "clouds"
    place.mkdir(parents=True, exist_ok=True)
    fresh = place / f".{id_}.new"
    fresh.write_text(json.dumps({"folder": str(folder)}), encoding="utf-8")
    fresh.replace(place / f"{id_}.json")


def strike(cache: Path, id_: str) -> None:
    """It is no more."""
    (cache / "clouds" / f"{id_}.json").unlink(missing_ok=True)


def known(cache: Path) -> list[Known]:
    """Those that are there, or of which something lives; the others are struck out."""
    clouds = []
    for path in sorted((cache / "clouds").glob("*.json")):
        try:
            cloud = Known(path.stem, Path(json.loads(path.read_text(encoding="utf-8"))["folder"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if cloud.exists or cloud.processes():
            clouds.append(cloud)
        else:
            path.unlink(missing_ok=True)
    return clouds


# --- engine builds ----------------------------------------------------------------------------

KEPT = timedelta(seconds=KEPT_SECONDS)
"""So long a build is kept that nothing is started from."""


@dataclass(frozen=True)
class EngineBuild:
    """One folder of a build. `own`: what the clone that asks is started from."""

    folder: Path
    own: bool
    complete: bool

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    @property
    def last_used(self) -> datetime:
        """When it was last started from, or how far a build that broke off has come."""
        marker = self.folder / _MARKER
        places = [marker] if self.complete else [self.folder, *self.folder.iterdir()]
        return _newest(places)

    @property
    def user(self) -> int | None:
        """The process that is started from it or makes it just now; None: nobody's."""
        folder, lock = self.folder.resolve(), self._lock.resolve()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                opened = [Path(file.path) for file in process.open_files()]
                if any(path.parent == folder or path == lock for path in opened):
                    return process.pid
        return None

    @property
    def _lock(self) -> Path:
        return self.folder.with_suffix(".lock")

    def remove(self) -> None:
        """Delete it, unless somebody begins to make it at this moment. Raises OSError."""
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(self.folder)
            self._lock.unlink()


def builds(cache: Path) -> Iterator[EngineBuild]:
    """All builds in the cache."""
    own = Build(cache).folder
    for folder in sorted((cache / "engine").glob("*")):
        if folder.is_dir() and not folder.is_symlink():
            mine = folder.resolve() == own.resolve()
            yield EngineBuild(folder, mine, (folder / _MARKER).is_file())


def _newest(places: list[Path]) -> datetime:
    times = [path.stat().st_mtime for path in places if path.exists()]
    return datetime.fromtimestamp(max(times, default=time.time()), UTC)
