"""Uploads on their way: bytes in a part file, and what a resumable session was begun with.

A session is two files, so it goes on after the server was killed in the middle of it.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from localcloud.storage.errors import Invalid, NotFound
from localcloud.storage.objects import Condition, Objects, Stored, Sums, check_name

_DAYS = 7 * 24 * 3600  # seconds that a session lives, as in Cloud Storage
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """The object that an upload makes."""

    bucket: str
    name: str
    given: Mapping[str, Any] = field(default_factory=dict)
    generation: int | None = None
    not_generation: int | None = None

    @property
    def condition(self) -> Condition:
        """What must hold when the upload begins, and when it ends."""
        return Condition(self.generation, self.not_generation)


class Uploads:
    """All uploads into `objects`."""

    def __init__(self, objects: Objects) -> None:
        """Clears away what nobody came back for."""
        self._objects = objects
        for path in objects.parts.iterdir():
            kept = path.suffix in (".part", ".json")
            if not kept or time.time() - path.stat().st_mtime > _DAYS:
                path.unlink(missing_ok=True)

    async def whole(self, wanted: Wanted, body: AsyncIterable[bytes]) -> Stored:
        """Make the object of all of `body`."""
        self._check(wanted)
        path = self._objects.parts / f"{secrets.token_hex(16)}.whole"
        sums = Sums()
        try:
            with path.open("xb") as file:
                async for data in body:
                    file.write(data)
                    sums.update(data)
            return self._finish(wanted, path, sums)
        finally:
            path.unlink(missing_ok=True)

    def begin(self, wanted: Wanted) -> str:
        """Open a resumable session; give its id."""
        self._check(wanted)
        session = secrets.token_urlsafe(32)
        part, facts = self._files(session)
        facts.write_text(json.dumps(asdict(wanted)), encoding="utf-8")
        part.touch(mode=0o600)
        return session

    async def resume(
        self, session: str, content_range: str | None, body: AsyncIterable[bytes], hashes: str
    ) -> Stored | int:
        """Take more bytes in. Gives the object when all are there, else how many are.

        `content_range`: the header; None: `body` is all of it. `hashes`: the header X-Goog-Hash.
        Raises NotFound for a session that is not (or no longer) there.
        """
        wanted = self._wanted(session)
        part, facts = self._files(session)
        have = part.stat().st_size
        start, total = _range(content_range)
        if start is not None:
            if start > have:
                raise Invalid(f"the session has {have} bytes, and this part begins at {start}")
            await _append(part, have - start, body)
            have = part.stat().st_size
        if total is None and content_range is None:
            total = have
        if total is None or have < total:
            return have
        if have > total:
            raise Invalid(f"the session has {have} bytes, more than the {total} it was to have")
        sums = _sums(part)
        given = {**wanted.given, **_hashes(hashes)}
        wanted = Wanted(**{**asdict(wanted), "given": given})
        try:
            return self._finish(wanted, part, sums)
        finally:
            part.unlink(missing_ok=True)
            facts.unlink(missing_ok=True)

    def cancel(self, session: str) -> None:
        """Forget a session. Raises NotFound."""
        self._wanted(session)
        for path in self._files(session):
            path.unlink(missing_ok=True)

    def _check(self, wanted: Wanted) -> None:
        check_name(wanted.name)
        wanted.condition.check(self._objects.find(wanted.bucket, wanted.name))

    def _finish(self, wanted: Wanted, path: Path, sums: Sums) -> Stored:
        return self._objects.put(
            wanted.bucket, wanted.name, path, sums, wanted.given, wanted.condition
        )

    def _files(self, session: str) -> tuple[Path, Path]:
        if not re.fullmatch(r"[A-Za-z0-9_-]{43}", session):
            raise NotFound("there is no such upload")
        folder = self._objects.parts
        return folder / f"{session}.part", folder / f"{session}.json"

    def _wanted(self, session: str) -> Wanted:
        part, facts = self._files(session)
        with contextlib.suppress(FileNotFoundError):
            if part.exists():
                return Wanted(**json.loads(facts.read_text(encoding="utf-8")))
        raise NotFound("there is no such upload")


async def _append(part: Path, overlap: int, body: AsyncIterable[bytes]) -> None:
    """Write what `part` does not have yet; it keeps what came when the caller breaks off."""
    with part.open("ab") as file:
        async for data in body:
            file.write(data[overlap:])
            overlap = max(0, overlap - len(data))


def _range(header: str | None) -> tuple[int | None, int | None]:
    """First byte and total of Content-Range; None for what it leaves open."""
    if header is None:
        return 0, None
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        raise Invalid(f"Content-Range {header[:80]!r} can't be read")
    first, _, total = match.groups()
    return (None if first is None else int(first)), (None if total == "*" else int(total))


def _sums(path: Path) -> Sums:
    sums = Sums()
    with path.open("rb") as file:
        while data := file.read(_BLOCK):
            sums.update(data)
    return sums


def _hashes(header: str) -> dict[str, str]:
    """`crc32c=…,md5=…` under the names that an object's resource has."""
    names = {"crc32c": "crc32c", "md5": "md5Hash"}
    pairs = (pair.strip().partition("=") for pair in header.split(","))
    return {names[name]: value for name, _, value in pairs if name in names}
