"""A month file from the release site into a local file: resumed, retried, whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx
import tenacity

from taxi_etl.errors import SourceRefused, SourceUnreachable
from taxi_etl.release import shown

ATTEMPTS = 5
"""How often one file is asked for before its download fails."""

_TIMEOUT = httpx.Timeout(60, connect=10)
_ABSENT = (404, 410)
_PART = re.compile(r"bytes (?P<start>\d+)-\d+/(?P<length>\d+|\*)", re.ASCII)
_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Remote:
    """What the release site says of a file. `length` is None when it does not tell."""

    etag: str
    last_modified: str
    length: int | None


def client(transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """The HTTP client of all calls to the release site; `transport` is the seam for tests."""
    return httpx.Client(
        transport=transport,
        timeout=_TIMEOUT,
        follow_redirects=True,
        headers={"Accept-Encoding": "identity", "User-Agent": "taxi-etl"},
    )


def head(http: httpx.Client, url: str) -> Remote | None:
    """What the site says of the file now, None when it does not have it (404, 410).

    Raises SourceUnreachable or SourceRefused as `fetch` does, without trying again.
    """
    with _told(url):
        answer = http.head(url)
    if answer.status_code in _ABSENT:
        return None
    _refuse(answer, url)
    return _remote(answer)


def fetch(http: httpx.Client, url: str, path: Path, wait: Callable | None = None) -> Remote | None:
    """Download `url` to `path`; None (and no file) when the site does not have it (404, 410).

    An interrupted download goes on where it stopped (Range with If-Range), or begins again when
    the file has changed meanwhile. Raises SourceUnreachable after ATTEMPTS tries, SourceRefused
    at once for an answer that would stay.
    """
    download = _Download(http, url)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(SourceUnreachable),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=wait or tenacity.wait_random_exponential(multiplier=0.5, max=20),
        before_sleep=_say,
        reraise=True,
    )
    with path.open("wb") as file:
        remote = retrying(download.go_on, file)
    if remote is None:
        path.unlink()
    return remote


class _Download:
    """One file on its way; remembers what it is a download of, so as to go on with it."""

    def __init__(self, http: httpx.Client, url: str) -> None:
        self._http = http
        self._url = url
        self._remote: Remote | None = None

    def go_on(self, file: BinaryIO) -> Remote | None:
        """Ask for what is still missing and write it. Returns None when there is no such file."""
        have = file.seek(0, 2)
        headers = {}
        if have and self._remote and _validator(self._remote):
            headers = {"Range": f"bytes={have}-", "If-Range": _validator(self._remote)}
        with _told(self._url), self._http.stream("GET", self._url, headers=headers) as answer:
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
            for piece in answer.iter_raw():  # as it comes: a held back piece would be lost
                file.write(piece)
        self._check_length(file.tell(), remote)
        return remote

    def _check_length(self, got: int, remote: Remote | None) -> None:
        if remote and remote.length is not None and got != remote.length:
            raise SourceUnreachable(
                f"{shown(self._url)} is {remote.length} bytes long, but {got} arrived"
            )


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn httpx's errors into ours, with the address and without its credentials."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise SourceUnreachable(f"{shown(url)}: no answer in time") from error
    except httpx.TransportError as error:
        raise SourceUnreachable(f"{shown(url)}: {error or type(error).__name__}") from error
    except (httpx.TooManyRedirects, httpx.InvalidURL) as error:
        raise SourceRefused(f"{shown(url)}: {error}") from error


def _refuse(answer: httpx.Response, url: str) -> None:
    """Raise for every answer that does not bring the file."""
    if answer.status_code in (200, 206):
        return
    text = f"{shown(url)} answered {answer.status_code} {answer.reason_phrase}".rstrip()
    if answer.status_code in _PASSING:
        raise SourceUnreachable(text)
    raise SourceRefused(text)


def _remote(answer: httpx.Response) -> Remote:
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


def _continues(answer: httpx.Response, have: int, remote: Remote | None) -> bool:
    """Whether a part goes on at byte `have` of the same file: some sites ignore If-Range."""
    part = _PART.fullmatch(answer.headers.get("Content-Range", ""))
    if part is None or remote is None or int(part["start"]) != have:
        return False
    lengths = {part["length"], "*" if remote.length is None else str(remote.length)} - {"*"}
    return len(lengths) < 2 and answer.headers.get("ETag", remote.etag) == remote.etag


def _say(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    print(f"{error}; try {state.attempt_number + 1} of {ATTEMPTS}")  # noqa: T201
