"""The local twin of Secret Manager: secrets with versions, in files that only the owner reads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from localcloud.errors import CloudError
from localcloud.layout import write_private

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


class SecretStore:
    """Secrets below one folder: `<folder>/<secret id>/<version>`."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made, 0700, with the first secret."""
        self._folder = folder

    def add(self, secret_id: str, value: str) -> str:
        """Add a version with `value`; give the version's number as Secret Manager writes it."""
        place = self._place(secret_id)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        version = str(max(map(int, self.versions(secret_id)), default=0) + 1)
        write_private(place / version, value)
        return version

    def get(self, secret_id: str, version: str = "latest") -> str:
        """The value of one version. Raises CloudError when there is none."""
        if version == "latest":
            version = (self.versions(secret_id) or ["latest"])[-1]
        if version not in self.versions(secret_id):
            raise CloudError(f"secret {secret_id} has no version {version}")
        return (self._place(secret_id) / version).read_text(encoding="utf-8")

    def versions(self, secret_id: str) -> list[str]:
        """The numbers of the versions, oldest first; empty when there is no such secret."""
        place = self._place(secret_id)
        if not place.is_dir():
            return []
        return sorted((p.name for p in place.iterdir() if p.name.isdigit()), key=int)

    def delete(self, secret_id: str) -> None:
        """Remove the secret with all versions; nothing happens when it is not there."""
        shutil.rmtree(self._place(secret_id), ignore_errors=True)

    def _place(self, secret_id: str) -> Path:
        if not _NAME.fullmatch(secret_id):
            raise CloudError(
                f"{secret_id!r} is no secret id: 1 to 255 letters, digits, hyphens or underscores"
            )
        return self._folder / secret_id
