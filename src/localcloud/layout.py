"""Where the local cloud keeps what: one folder, and the cache that several may share."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import FolderError, MissingError

CACHE_VARIABLE = "TAXISTACK_CACHE"


def default_cache() -> Path:
    """The cache folder: what `TAXISTACK_CACHE` names, else the user's own (XDG).

    Raises MissingError for a user without a home.
    """
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).absolute()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).absolute() / "taxistack"
    try:
        return Path.home().absolute() / ".cache" / "taxistack"
    except RuntimeError:  # no HOME, and a user that the machine has no name for
        raise MissingError(
            "there is no home folder to keep downloads in",
            hint=f"Name a folder by {CACHE_VARIABLE}.",
        ) from None


@dataclass(frozen=True)
class Layout:
    """The paths below one local cloud's folder."""

    folder: Path

    @property
    def private(self) -> Path:
        """0700; the only place where a secret may stand."""
        return self.folder / "private"

    @property
    def secrets(self) -> Path:
        """One folder a secret, one file a version."""
        return self.private / "secrets"

    @property
    def postgres_password(self) -> Path:
        """The generated password of the database's owner."""
        return self.private / "postgres.password"

    @property
    def kestra_config(self) -> Path:
        """What the engine's launcher reads (passwords among it)."""
        return self.private / "kestra.json"

    @property
    def encryption_key(self) -> Path:
        """The key of Kestra's inputs of type SECRET, made at the engine's first start."""
        return self.private / "kestra-encryption.key"

    @property
    def compose(self) -> Path:
        """What Docker Compose works with, when the instance runs in containers."""
        return self.private / "compose"

    @property
    def compose_variables(self) -> Path:
        """The compose files' variables; none is secret."""
        return self.compose / "variables.env"

    @property
    def compose_secrets(self) -> Path:
        """One file a secret."""
        return self.compose / "secrets"

    @property
    def supervisor_config(self) -> Path:
        """Written at every start; holds no secret."""
        return self.private / "supervisord.conf"

    @property
    def state(self) -> Path:
        """Ports, the supervisor's process, the instance's wanted state."""
        return self.folder / "state.json"

    @property
    def lock(self) -> Path:
        """Held while a command starts or stops something; it is there only then."""
        return self.folder / "lock"

    @property
    def home(self) -> Path:
        """HOME of every part: nothing is written in the user's own."""
        return self.folder / "home"

    @property
    def tmp(self) -> Path:
        """TMPDIR of every part; emptied at every start."""
        return self.folder / "tmp"

    @property
    def run(self) -> Path:
        """One file a running part: its process id and start time."""
        return self.folder / "run"

    @property
    def logs(self) -> Path:
        """`<part>.log` and its rotated predecessors."""
        return self.folder / "logs"

    def log(self, part: str) -> Path:
        """The log of `part`."""
        return self.logs / f"{part}.log"

    def data(self, part: str) -> Path:
        """What `part` keeps between two runs."""
        return self.folder / "data" / part

    @property
    def served(self) -> Path:
        """A link to the folder that the release site serves."""
        return self.data("releases") / "served"

    def create(self) -> None:
        """Make the folders. Raises FolderError when that can't be."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.folder, self.private, self.secrets):
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(0o700)
            for folder in (self.home, self.tmp, self.run, self.logs, self.folder / "data"):
                folder.mkdir(exist_ok=True)
            probe = self.run / ".writable"
            probe.write_text("1")
            probe.unlink()
        except OSError as error:
            raise unusable(self.folder, error) from error


def unusable(folder: Path, error: OSError) -> FolderError:
    """What a folder's refusal is told as."""
    hint = "Name another folder (setting `state`), or mend this one's permissions."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Free some space; `stop` and `down` need none."
    return FolderError(f"the local cloud can't use {folder}: {error.strerror or error}", hint=hint)


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path`, readable by its owner only, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)  # of a full disk, say
        raise
