"""Locks of Java archives: one line a file, `group:artifact:version:sha256`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import CloudError

_LINE = re.compile(r"([\w.-]+):([\w.-]+):([\w.-]+):([0-9a-f]{64})")


@dataclass(frozen=True)
class Jar:
    """One line of a lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name, in the repository and here."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Where a Maven repository keeps it."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"

    @property
    def coordinate(self) -> str:
        """How Maven names it."""
        return f"{self.group}:{self.artifact}:{self.version}"


def read_lock(lock: Path) -> list[Jar]:
    """The files that a lock names. Raises CloudError with the line that breaks the rule."""
    jars = []
    for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if (match := _LINE.fullmatch(line.strip())) is None:
            raise CloudError(f"{lock.name}, line {number}: not `group:artifact:version:sha256`")
        jars.append(Jar(*match.groups()))
    return jars
