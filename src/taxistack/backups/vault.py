"""Where a target's backups are, and how they get there and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from taxistack.backups.backup import Backup
from taxistack.errors import UsageError

Say = Callable[[str], None]


class Vault(ABC):
    """The backups of one stack."""

    @abstractmethod
    def check(self) -> None:
        """Whether a backup can be made or restored at all. Raises UsageError or MissingError."""

    @abstractmethod
    def names(self) -> list[str]:
        """The names of the backups that are whole, oldest first."""

    @abstractmethod
    def read(self, name: str) -> Backup:
        """The record of a backup that `names` gave."""

    @abstractmethod
    def save(self, backup: Backup, say: Say) -> str:
        """Make the backup; where it is now, in words."""

    @abstractmethod
    def load(self, backup: Backup, say: Say) -> None:
        """Put it in the place of what the running stack holds. Kestra runs again after that."""

    def chosen(self, name: str) -> Backup:
        """The record of `name`, or of the newest for `latest`.

        Raises UsageError when there is none of that name; it lists those that there are.
        """
        names = self.names()
        if not names:
            raise UsageError(f"--name {name}: this stack has no backup", hint="invoke backup")
        if name == "latest":
            return self.read(names[-1])
        if name not in names:
            raise UsageError(f"--name {name}: must be latest, or one of {', '.join(names)}")
        return self.read(name)
