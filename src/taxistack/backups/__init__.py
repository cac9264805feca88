"""Backups of what can't be loaded again: Kestra's database and PostgreSQL.

    contents.py   what a stack holds of both, so that a restored one can be compared
    backup.py     one backup's record
    dump.py       PostgreSQL by pg_dump, and back
    vault.py      where backups are: the interface; each target has its own

The lake and BigQuery are not in a backup: `invoke backfill` loads them again.
"""

from taxistack.backups.backup import Backup, new_name
from taxistack.backups.contents import Contents, contents_of
from taxistack.backups.vault import Vault

__all__ = ["Backup", "Contents", "Vault", "contents_of", "new_name"]
