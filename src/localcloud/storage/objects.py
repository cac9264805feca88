"""Buckets as folders and objects as files, each replaced as a whole; what is known of them beside.

The files are the truth: an object's generation is its file's time of change in microseconds. The
index (SQLite) holds what a file can't say (checksums, media type); a row that does not fit its
file, because the server was killed between the two, is made anew from the bytes.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import google_crc32c

from localcloud.storage.errors import Conflict, Invalid, NotFound, PreconditionFailed

_BUCKET = re.compile(r"(?!goog)[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9]")
_CHUNK = 1 << 20  # bytes

INDEX = """
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
  bucket TEXT, name TEXT, generation INTEGER, size INTEGER, crc32c TEXT, md5 TEXT, body TEXT,
  PRIMARY KEY (bucket, name));
"""


@dataclass(frozen=True)
class Stored:
    """One object. `crc32c` and `md5` are in base64, as the API writes them."""

    bucket: str
    name: str
    generation: int
    size: int
    crc32c: str
    md5: str
    given: Mapping[str, Any] = field(default_factory=dict)
    """What the upload said of it: contentType, contentEncoding, metadata."""


class Sums:
    """The checksums of bytes that pass by."""

    def __init__(self) -> None:
        """Of nothing yet."""
        self.size = 0
        self._crc32c, self._md5 = google_crc32c.Checksum(), hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes) -> None:
        """Take the next bytes in."""
        self.size += len(data)
        self._crc32c.update(data)
        self._md5.update(data)

    @property
    def crc32c(self) -> str:
        """Base64 of the big-endian checksum."""
        return base64.b64encode(self._crc32c.digest()).decode()

    @property
    def md5(self) -> str:
        """Base64 of the digest."""
        return base64.b64encode(self._md5.digest()).decode()


@dataclass(frozen=True)
class Condition:
    """What must hold of an object for a call to be done; None: not asked."""

    generation: int | None = None
    """0: there must be none."""
    not_generation: int | None = None

    def check(self, present: Stored | None) -> None:
        """Raises PreconditionFailed."""
        now = present.generation if present else 0
        if self.generation is not None and now != self.generation:
            raise PreconditionFailed(f"the generation is {now}, not {self.generation}")
        if self.not_generation is not None and now == self.not_generation:
            raise PreconditionFailed(f"the generation is {now}")


def check_name(name: str) -> None:
    """Whether an object may have this name here. Raises Invalid.

    Stricter than Cloud Storage where a file can't have the name, and never leaves the bucket.
    """
    steps = name.split("/")
    if len(name.encode("utf-8", "replace")) > 1024 or re.search(r"[\x00-\x1f\x7f]", name):
        raise Invalid("an object's name has at most 1,024 bytes and no control characters")
    if any(step in ("", ".", "..") or len(step.encode("utf-8", "replace")) > 255 for step in steps):
        raise Invalid(
            f"the local cloud keeps objects as files, and {name[:80]!r} can't be a file's name: "
            "its steps have 1 to 255 bytes and are not `.` or `..`"
        )


class Objects:
    """All buckets below one folder. One thread uses it: what it does is done as a whole."""

    def __init__(self, root: Path) -> None:
        """`root` is made when missing."""
        root.mkdir(parents=True, exist_ok=True)
        self.root = root.resolve()
        self.parts = self.root / ".uploads"
        self.parts.mkdir(mode=0o700, exist_ok=True)
        self._db = sqlite3.connect(self.root / ".index.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(INDEX)
        self._last = 0

    # -- buckets -----------------------------------------------------------------------------

    def buckets(self) -> list[dict[str, Any]]:
        """All buckets, by name."""
        names = sorted(e.name for e in self.root.iterdir() if _BUCKET.fullmatch(e.name))
        return [self.bucket(name) for name in names]

    def bucket(self, name: str) -> dict[str, Any]:
        """What is known of a bucket. Raises NotFound."""
        if not _BUCKET.fullmatch(name) or not (self.root / name).is_dir():
            raise NotFound("The specified bucket does not exist.")
        row = self._db.execute("SELECT body FROM buckets WHERE name = ?", (name,)).fetchone()
        return {"name": name, **(json.loads(row[0]) if row else {})}

    def create_bucket(self, name: str, body: Mapping[str, Any]) -> None:
        """Make it. Raises Invalid or Conflict."""
        if not _BUCKET.fullmatch(name) or ".." in name:
            raise Invalid(f"Invalid bucket name: {name[:80]!r}")
        try:
            (self.root / name).mkdir()
        except FileExistsError:
            raise Conflict(
                "Your previous request to create the named bucket succeeded and you already own it."
            ) from None
        self._db.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?)", (name, json.dumps(body)))

    def label_bucket(self, name: str, labels: Mapping[str, str | None]) -> None:
        """Set its labels; None takes one away, and others stay. Raises NotFound."""
        body = self.bucket(name)
        all_ = {**body.get("labels", {}), **labels}
        body["labels"] = {key: value for key, value in all_.items() if value is not None}
        self._db.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?)", (name, json.dumps(body)))

    def delete_bucket(self, name: str) -> None:
        """Remove an empty one. Raises NotFound or Conflict."""
        self.bucket(name)
        try:
            (self.root / name).rmdir()
        except OSError:
            raise Conflict("The bucket you tried to delete is not empty.") from None
        self._db.execute("DELETE FROM buckets WHERE name = ?", (name,))

    # -- objects -----------------------------------------------------------------------------

    def find(self, bucket: str, name: str) -> Stored | None:
        """The object; None when there is none. Raises NotFound for the bucket, or Invalid."""
        self.bucket(bucket)
        check_name(name)
        try:
            with (self.root / bucket / name).open("rb") as file:
                return self._described(bucket, name, file)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def open(self, bucket: str, name: str) -> tuple[Stored, Any]:
        """The object and its bytes, which stay the same when it is replaced. Raises NotFound."""
        stored = self.find(bucket, name)
        while stored is not None:
            file = (self.root / bucket / name).open("rb")
            if _generation(os.fstat(file.fileno())) == stored.generation:
                return stored, file
            file.close()
            stored = self.find(bucket, name)
        raise NotFound(f"No such object: {bucket}/{name}")

    def names(self, bucket: str, prefix: str = "") -> Iterator[str]:
        """The names that begin with `prefix`, in order."""
        self.bucket(bucket)
        top = self.root / bucket
        names = []
        for folder, _, files in os.walk(top):
            within = os.path.relpath(folder, top)
            names += files if within == "." else [f"{within}/{name}" for name in files]
        yield from sorted(name for name in names if name.startswith(prefix))

    def put(
        self,
        bucket: str,
        name: str,
        part: Path,
        sums: Sums,
        given: Mapping[str, Any],
        condition: Condition,
    ) -> Stored:
        """Make the file `part` the object's bytes. Raises PreconditionFailed, among others."""
        condition.check(self.find(bucket, name))
        for key, value in (("crc32c", sums.crc32c), ("md5Hash", sums.md5)):
            if given.get(key) not in (None, value):
                raise Invalid(f"Provided {key} {given[key]!r} doesn't match calculated {value!r}.")
        generation = self._last = max(time.time_ns() // 1000, self._last + 1)
        os.utime(part, ns=(generation * 1000, generation * 1000))
        target = self.root / bucket / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise Invalid(
                f"the local cloud keeps objects as files: {name!r} can't be beside an object whose "
                "name is the beginning of its path"
            ) from None
        kept = {k: given[k] for k in ("contentType", "contentEncoding", "metadata") if k in given}
        stored = Stored(bucket, name, generation, sums.size, sums.crc32c, sums.md5, kept)
        self._note(stored)
        return stored

    def delete(self, bucket: str, name: str, condition: Condition) -> None:
        """Remove it. Raises NotFound or PreconditionFailed."""
        stored = self.find(bucket, name)
        if stored is None:
            raise NotFound(f"No such object: {bucket}/{name}")
        condition.check(stored)
        path = self.root / bucket / name
        path.unlink()
        self._db.execute("DELETE FROM objects WHERE bucket = ? AND name = ?", (bucket, name))
        with contextlib.suppress(OSError):  # the first folder that holds something else
            while (path := path.parent) != self.root / bucket:
                path.rmdir()

    # -- inside ------------------------------------------------------------------------------

    def _described(self, bucket: str, name: str, file: Any) -> Stored:
        status = os.fstat(file.fileno())
        generation = _generation(status)
        row = self._db.execute(
            "SELECT generation, size, crc32c, md5, body FROM objects WHERE bucket = ? AND name = ?",
            (bucket, name),
        ).fetchone()
        if row and row[:2] == (generation, status.st_size):
            return Stored(bucket, name, row[0], row[1], row[2], row[3], json.loads(row[4]))
        sums = Sums()
        while data := file.read(_CHUNK):
            sums.update(data)
        stored = Stored(bucket, name, generation, sums.size, sums.crc32c, sums.md5)
        self._note(stored)
        return stored

    def _note(self, stored: Stored) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(stored.bucket, stored.name, stored.generation, stored.size),
                *(stored.crc32c, stored.md5, json.dumps(dict(stored.given))),
            ),
        )


def _generation(status: os.stat_result) -> int:
    return status.st_mtime_ns // 1000
