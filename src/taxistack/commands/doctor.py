"""`doctor`: what this machine has for the chosen target, and what is missing."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import psutil

import localcloud.errors
from localcloud import kestra
from localcloud.layout import default_cache
from taxistack.console import Console, table
from taxistack.errors import MissingError, TaxistackError
from taxistack.targets import Target
from taxistack.targets.local import LocalTarget
from taxistack.terraform import executable

DISK_GIB = 4
MEMORY_GIB = 4


@dataclass(frozen=True)
class Check:
    """One finding: `ok`, what was found, and what to do when it is not ok."""

    name: str
    ok: bool
    found: str
    advice: str = ""


def _machine() -> Iterator[Check]:
    system, processor = platform.system(), platform.machine()
    yield Check(
        "platform",
        (system, processor) == ("Linux", "x86_64"),
        f"{system} {processor}",
        "the local cloud's PostgreSQL, Java and storage come as Linux x86-64 wheels",
    )
    yield Check("python", sys.version_info >= (3, 11), platform.python_version(), "3.11 or newer")
    memory = psutil.virtual_memory().total / 2**30
    yield Check("memory", memory >= MEMORY_GIB, f"{memory:.0f} GiB", f"{MEMORY_GIB} GiB")


def _terraform() -> Check:
    try:
        return Check("terraform", True, str(executable()))
    except TaxistackError as error:
        return Check("terraform", False, error.message, error.hint or "")


def _local(target: LocalTarget) -> Iterator[Check]:
    cache = default_cache()
    folder = target.settings.state
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    yield Check("disk", free >= DISK_GIB, f"{free:.0f} GiB free", f"{DISK_GIB} GiB at {folder}")
    if target.settings.kestra == "docker":
        yield _docker(target)
    else:
        yield Check("engine", kestra.built(cache), str(cache), "scripts/bootstrap")


def _docker(target: LocalTarget) -> Check:
    try:
        return Check("docker", True, target.compose().check())
    except localcloud.errors.MissingError as error:
        return Check("docker", False, error.message, error.hint or "")


def _gcp(target: Target) -> Check:
    try:
        target.read_secret(target.kestra_secret_id())
        return Check("credentials", True, f"project {target.settings.project}")
    except TaxistackError as error:
        return Check("credentials", False, error.message, error.hint or "")


def doctor(target: Target, console: Console) -> None:
    """Print the checks. Raises MissingError when one of them is not ok."""
    checks = [*_machine(), _terraform()]
    checks += _local(target) if isinstance(target, LocalTarget) else [_gcp(target)]
    rows = [
        (c.name, "ok" if c.ok else "missing", c.found, "" if c.ok else c.advice) for c in checks
    ]
    console.result(
        table(f"Target {target.name}", ["what", "state", "found", "needed"], rows),
        [asdict(check) for check in checks],
    )
    if missing := [check.name for check in checks if not check.ok]:
        raise MissingError(f"missing: {', '.join(missing)}")
    console.summary(f"{len(checks)} checks passed")
