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


def checks(target: LocalTarget) -> Iterator[Check]:
    """Platform, memory, disk, and the engine or Docker."""
    yield _platform()
    yield _memory()
    yield _disk(target)
    yield _docker(target) if target.settings.kestra == "docker" else _engine()


def _platform() -> Check:
    system, processor = platform.system(), platform.machine()
    return Check.of(
        "platform",
        (system, processor) == ("Linux", "x86_64"),
        f"{system} {processor}",
        "Linux x86_64",
        "not tried on this platform: the kit is tested on Linux x86-64; "
        "target gcp runs from Linux and macOS (docs/google-cloud.md)",
    )


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
