"""Backups of the local stack: a folder each below the state folder, which `down` leaves alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxistack.backups import Backup, Vault, dump
from taxistack.backups.backup import RECORD
from taxistack.errors import FailedError, MissingError, UsageError

if TYPE_CHECKING:
    from taxistack.backups.vault import Say
    from taxistack.targets.local import LocalTarget

FOLDER = "backups"
KESTRA, POSTGRES, SOURCE = "kestra.tar.gz", "postgres.dump", "source.json"


class LocalVault(Vault):
    """Backups below `<state>/backups`."""

    def __init__(self, target: LocalTarget) -> None:
        """`target`: whose stack is kept and restored."""
        self._target = target

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._target.settings.state / FOLDER

    def check(self) -> None:
        """The stack runs, and its Kestra is the embedded engine."""
        in_containers = self._target.cloud.instance_in_containers()
        if in_containers is None:
            raise MissingError("there is no stack to keep or to restore into", hint="invoke up")
        if in_containers:
            raise UsageError(
                "setting kestra: docker: its data are in Docker's volumes, which backup and "
                "restore do not reach; the embedded engine's can be kept",
                hint="Docker's own way to keep a volume is `docker run --volumes-from`",
            )
        self._target.running()

    def names(self) -> list[str]:
        """Those with a record."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{RECORD}"))

    def read(self, name: str) -> Backup:
        """The record."""
        path = self.folder / name / RECORD
        return Backup.parse(path.read_text(encoding="utf-8"), str(path))

    def save(self, backup: Backup, say: Say) -> str:
        """Kestra stands still while both are written, so that they tell of one moment."""
        whole = self.folder / backup.name
        fresh = whole.with_name(f".{backup.name}")
        fresh.mkdir(mode=0o700, parents=True)
        try:
            say("Kestra stands still while its database and PostgreSQL are copied")
            with self._target.cloud.standing_still() as engine:
                engine.save(fresh / KESTRA)
                dump.dump(*self._database(), fresh / POSTGRES, self._target.postgres_programs())
            (fresh / SOURCE).write_text(json.dumps(self._target.served()), encoding="utf-8")
            (fresh / RECORD).write_text(backup.as_text(), encoding="utf-8")
            fresh.rename(whole)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        return str(whole)

    def load(self, backup: Backup, say: Say) -> None:
        """PostgreSQL first, all or nothing; then Kestra's data. Kestra starts again on them.

        Both files are read to their end before anything is touched: raises FailedError or
        CloudError for one that is not whole.
        """
        folder = self.folder / backup.name
        source = self._source(folder)
        dump.check(folder / POSTGRES, self._target.postgres_programs())
        self._target.cloud.check_saved(folder / KESTRA)
        say("Kestra stands still while its database and PostgreSQL are put back")
        with self._target.cloud.standing_still() as engine:
            dump.restore(*self._database(), folder / POSTGRES, self._target.postgres_programs())
            engine.load(folder / KESTRA)
        self._target.serve_again(source)

    def _source(self, folder: Path) -> Any:
        path = folder / SOURCE
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FailedError(f"{path} can't be put back: {error}") from error

    def _database(self) -> tuple[dict[str, object], str]:
        return self._target.postgres_address(), self._target.postgres_password()
