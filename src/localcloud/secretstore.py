"""The local twin of Secret Manager: secrets with versions, in files that only the owner reads."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from localcloud.errors import CloudError
from localcloud.layout import write_private

_DESTROYED = ".destroyed"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


class SecretStore:
    """Secrets below one folder: `<folder>/<secret id>/<version>`.

    As in Secret Manager a version's number is never used again, and `latest` is the version
    that was added last, also when it was destroyed since.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is made, 0700, with the first secret."""
        self._folder = folder

    def add(self, secret_id: str, value: str) -> str:
        """Add a version with `value`; give the version's number as Secret Manager writes it."""
        place = self._place(secret_id)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        version = str(self._last(place) + 1)
        write_private(place / version, value)
        return version

    def get(self, secret_id: str, version: str = "latest") -> str:
        """The value of one version. Raises CloudError when there is none."""
        place = self._place(secret_id)
        if version == "latest":
            version = str(self._last(place))
        if version not in self.versions(secret_id):
            raise CloudError(f"secret {secret_id} has no version {version}")
        return (place / version).read_text(encoding="utf-8")

    def versions(self, secret_id: str) -> list[str]:
        """The versions that have a value, oldest first; empty when there is no such secret."""
        names = (path.name for path in self._place(secret_id).glob("*"))
        return sorted((name for name in names if name.isdigit()), key=int)

    def delete(self, secret_id: str, version: str | None = None) -> None:
        """Destroy one version's value, or remove the secret with all versions.

        Nothing happens when it is not there.
        """
        place = self._place(secret_id)
        if version is None:
            shutil.rmtree(place, ignore_errors=True)
        elif version in self.versions(secret_id):
            (place / f"{version}{_DESTROYED}").touch(mode=0o600)
            (place / version).unlink()

    def _last(self, place: Path) -> int:
        """The highest number that a version ever had; 0 when there was none."""
        names = (path.name.removesuffix(_DESTROYED) for path in place.glob("*"))
        return max((int(name) for name in names if name.isdigit()), default=0)

    def _place(self, secret_id: str) -> Path:
        if not _NAME.fullmatch(secret_id):
            raise CloudError(
                f"{secret_id!r} is no secret id: 1 to 255 letters, digits, hyphens or underscores"
            )
        return self._folder / secret_id
