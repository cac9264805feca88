"""A month file from the release site into a local file: resumed, retried, whole or not at all."""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BufferedRandom
from pathlib import Path
from typing import TYPE_CHECKING

import tenacity

from taxi_etl.errors import SourceRefused, SourceUnreachable
from taxi_etl.release import shown
from taxi_etl.site import Site, pieces

if TYPE_CHECKING:
    from requests import Response

    from taxi_etl.facts import Facts
    from taxi_etl.ledger import Entry

ATTEMPTS = 5
"""How often one file is asked for before its download fails."""

_GRACE = 180.0  # seconds that a download may take whatever the file's size
_SLOWEST = 32 << 10  # bytes a second on the whole: what a large file gets beyond the grace
_WINDOW, _LEAST = 30.0, 30 << 10  # seconds, and the bytes that must arrive in them
_ABSENT = (404, 410)
_PART = re.compile(r"bytes (?P<start>\d+)-\d+/(?P<length>\d+|\*)", re.ASCII)
_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Remote:
    """What the release site says of a file. `length` is None when it does not tell.

    `sha256` is that of the file's bytes, None where nobody looked at them.
    """

    etag: str
    last_modified: str
    length: int | None
    sha256: str | None = None


@dataclass(frozen=True)
class Pace:
    """How time is told and waited for between tries: the seam for tests."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def ask(http: Site, url: str) -> Remote | None:
    """What the site says of the file now, None when it does not have it (404, 410).

    A site that refuses HEAD is asked by a GET that is closed after its headers. Raises
    SourceUnreachable or SourceRefused as `fetch` does, without trying again.
    """
    with http.answer("HEAD", url) as answer:
        pass
    if answer.status_code in _ABSENT:
        return None
    if answer.status_code >= 400 and answer.status_code not in _PASSING:
        return _ask_by_get(http, url)
    _refuse(answer, url)
    remote = _remote(answer)
    # Some frameworks say 0 to every HEAD, and no month file is empty.
    return remote if remote.length else replace(remote, length=None)


def _ask_by_get(http: Site, url: str) -> Remote | None:
    with http.answer("GET", url) as answer:
        if answer.status_code in _ABSENT:
            return None
        _refuse(answer, url)
        return _remote(answer)


def ask_of(http: Site, url: str, *loaded: Facts | Entry) -> Remote | None:
    """As `ask`, of a file that was loaded before: bytes are looked at where marks differ.

    Another ETag is only a suspicion: a file that was touched, two servers behind one name. A
    length that a GET tells is none. Raises what `fetch` raises.
    """
    from taxi_etl.compare import suspicion  # what extract does not need

    remote = ask(http, url)
    if remote is not None and any(suspicion(entry, remote) for entry in loaded):
        remote = _ask_by_get(http, url)  # HEAD may say something else than GET does
    if remote is None:
        return None
    doubted = [entry for entry in loaded if suspicion(entry, remote)]
    if not any(remote.length in (None, entry.source_bytes) for entry in doubted):
        return remote
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        path = Path(folder) / "file"
        fetched = fetch(http, url, path)
        if fetched is None:
            return None
        with path.open("rb") as file:
            return replace(fetched, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def fetch(http: Site, url: str, path: Path, pace: Pace | None = None) -> Remote | None:
    """Download `url` to `path`; None (and no file) when the site does not have it (404, 410).

    An interrupted download goes on where it stopped (Range with If-Range), or begins again when
    the file has changed meanwhile. Raises SourceUnreachable after ATTEMPTS tries, or when the
    time is over that a file of this size may take; SourceRefused at once for an answer that
    would stay.
    """
    pace = pace or Pace()
    download = _Download(http, url, pace.clock)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(SourceUnreachable),
        stop=lambda state: (
            state.attempt_number >= ATTEMPTS or download.is_over(state.upcoming_sleep)
        ),
        wait=patient(tenacity.wait_random_exponential(multiplier=0.5, max=20)),
        sleep=pace.sleep,
        before_sleep=_say,
        reraise=True,
    )
    with path.open("wb+") as file:
        remote = retrying(download.go_on, file)
    if remote is None:
        path.unlink()
    return remote


def patient(
    backoff: Callable[[tenacity.RetryCallState], float],
) -> Callable[[tenacity.RetryCallState], float]:
    """The pause of `backoff`, or the longer one that the site asked for (Retry-After)."""

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(backoff(state), getattr(error, "retry_after", 0.0))

    return wait


class _Download:
    """One file on its way; remembers what it is a download of, so as to go on with it."""

    def __init__(self, http: Site, url: str, clock: Callable[[], float]) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._began = clock()
        self._remote: Remote | None = None
        self._size = 0  # as far as it is known
        self._seen = ""  # digest of the last transfer whose end nothing told

    def is_over(self, later: float = 0.0) -> bool:
        """Whether the time of this download is over, or will be so many seconds later."""
        return self._clock() + later - self._began > _GRACE + self._size / _SLOWEST

    def go_on(self, file: BufferedRandom) -> Remote | None:
        """Ask for what is still missing and write it. Returns None when there is no such file."""
        have = file.seek(0, 2)
        headers = {}
        if have and self._remote and _validator(self._remote):
            headers = {"Range": f"bytes={have}-", "If-Range": _validator(self._remote)}
        with self._http.answer("GET", self._url, headers) as answer:
            if answer.status_code in _ABSENT:
                return None
            if answer.status_code == 416:  # the file got shorter: begin again
                file.truncate(0)
                raise SourceUnreachable(f"{shown(self._url)} changed during the download")
            _refuse(answer, self._url)
            if answer.status_code == 206:
                remote = self._remote
                if not _continues(answer, have, remote):
                    file.truncate(0)
                    raise SourceUnreachable(f"{shown(self._url)} sent a part of another file")
            else:
                file.truncate(0)
                file.seek(0)
                remote = self._remote = _remote(answer)
            self._write(answer, file, remote)
            ended = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
        self._check_end(file, remote, ended=ended)
        return remote

    def _write(self, answer: Response, file: BufferedRandom, remote: Remote | None) -> None:
        """Write the body as it comes (a held back piece would be lost), if it comes fast enough."""
        since, arrived = self._clock(), 0
        for piece in pieces(answer):
            file.write(piece)
            arrived += len(piece)
            self._size = max(self._size, file.tell(), (remote and remote.length) or 0)
            if self._clock() - since >= _WINDOW:
                if arrived < _LEAST:
                    raise SourceUnreachable(
                        f"{shown(self._url)} is too slow: {arrived} bytes in {_WINDOW:.0f} s"
                    )
                since, arrived = self._clock(), 0
            if self.is_over():
                raise SourceUnreachable(
                    f"{shown(self._url)} is too slow: {file.tell()} bytes in "
                    f"{self._clock() - self._began:.0f} s"
                )

    def _check_end(self, file: BufferedRandom, remote: Remote | None, *, ended: bool) -> None:
        """Whether the file is whole.

        A transfer that tells neither its length nor its end is believed when it is as long as
        HEAD says, else when the next one brings the same bytes.
        """
        got = file.tell()
        length = remote.length if remote else None
        if length is None and not ended:
            head = ask(self._http, self._url)
            length = head.length if head else None
        if length is None and not ended:
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != self._seen:
                self._seen = digest
                file.truncate(0)
                raise SourceUnreachable(
                    f"{shown(self._url)} tells no length, {got} bytes arrived: fetched once more, "
                    "to see whether they are all"
                )
        elif length is not None and got != length:
            if remote and remote.length is None:
                file.truncate(0)  # nothing to go on from: where it was cut is not known
            raise SourceUnreachable(f"{shown(self._url)} is {length} bytes long, but {got} arrived")


def _refuse(answer: Response, url: str) -> None:
    """Raise for every answer that does not bring the file."""
    if answer.status_code in (200, 206):
        return
    text = f"{shown(url)} answered {answer.status_code} {answer.reason or ''}".rstrip()
    if answer.status_code in _PASSING:
        error = SourceUnreachable(text)
        error.retry_after = _retry_after(answer)
        raise error
    raise SourceRefused(text)


def _retry_after(answer: Response) -> float:
    """The seconds that the site asks to wait; it may name a date instead, by its own clock."""
    after = answer.headers.get("Retry-After", "")
    if after.isdecimal():
        return float(after)
    try:
        until = parsedate_to_datetime(after)
        now = parsedate_to_datetime(answer.headers["Date"]) if "Date" in answer.headers else None
        return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a zone
        return 0.0


def _remote(answer: Response) -> Remote:
    length = answer.headers.get("Content-Length", "")
    return Remote(
        etag=answer.headers.get("ETag", ""),
        last_modified=answer.headers.get("Last-Modified", ""),
        length=int(length) if length.isdecimal() else None,
    )


def _validator(remote: Remote) -> str:
    """What If-Range compares: a strong ETag, else the date. A weak ETag proves nothing."""
    if remote.etag and not remote.etag.startswith("W/"):
        return remote.etag
    return "" if remote.etag else remote.last_modified


def _continues(answer: Response, have: int, remote: Remote | None) -> bool:
    """Whether a part goes on at byte `have` of the same file: some sites ignore If-Range."""
    part = _PART.fullmatch(answer.headers.get("Content-Range", ""))
    if part is None or remote is None or int(part["start"]) != have:
        return False
    lengths = {part["length"], "*" if remote.length is None else str(remote.length)} - {"*"}
    return len(lengths) < 2 and answer.headers.get("ETag", remote.etag) == remote.etag


def _say(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    print(f"{error}; try {state.attempt_number + 1} of {ATTEMPTS}")  # noqa: T201
