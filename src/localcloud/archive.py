"""What the embedded Kestra keeps, as one file: written and put back while the engine is stopped."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path

from localcloud.errors import CloudError
from localcloud.layout import Layout

_DATA, _KEY = "data", "encryption.key"
# Of the process that runs, and of none after it.
_NOT_KEPT = {"engine.lock", "tmp", "tasks", "uploads"}
_LEVEL = 1  # the database is mostly text: more effort saves little and takes long


class EngineData:
    """What a stopped engine keeps: executions, logs, KV pairs, triggers, flows, files."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        """`folder`: where the engine keeps it."""
        self._layout = layout
        self.folder = folder

    def save(self, file: Path) -> None:
        """Write it into `file`, a .tar.gz, whole or not at all.

        The key of inputs of type SECRET is in it: the file is as secret as the stack.
        """
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with (
                os.fdopen(descriptor, "wb") as out,
                tarfile.open(fileobj=out, mode="w:gz", compresslevel=_LEVEL) as tar,
            ):
                for path in sorted(self.folder.iterdir()):
                    if path.name not in _NOT_KEPT:
                        tar.add(path, f"{_DATA}/{path.name}")
                if self._layout.encryption_key.exists():
                    tar.add(self._layout.encryption_key, _KEY)
            fresh.replace(file)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

    @staticmethod
    def check(file: Path) -> None:
        """Read all of what `save` wrote, and change nothing.

        Raises CloudError for a file that is not such a one, or not whole.
        """
        try:
            with tarfile.open(file, "r:gz") as tar:
                if not any(member.name.endswith(".db") for member in tar):
                    raise CloudError(f"{file} holds no database of Kestra's")
            with gzip.open(file) as whole:  # to its end, where its checksum stands
                while whole.read(1 << 20):
                    pass
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise CloudError(f"{file} can't be put back: {error}") from error

    def load(self, file: Path) -> None:
        """Replace it by what `save` wrote.

        All of the file is unpacked beside the data before that is touched. Raises CloudError for
        a file that is not such a one, or not whole.
        """
        fresh = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            fresh.mkdir(mode=0o700)
            try:
                with tarfile.open(file, "r:gz") as tar:
                    tar.extractall(fresh, filter="data")
            except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
                raise CloudError(f"{file} can't be put back: {error}") from error
            if not any((fresh / _DATA).glob("*.db")):
                raise CloudError(f"{file} holds no database of Kestra's")
            shutil.rmtree(self.folder)
            (fresh / _DATA).replace(self.folder)
            if (fresh / _KEY).exists():
                (fresh / _KEY).replace(self._layout.encryption_key)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
