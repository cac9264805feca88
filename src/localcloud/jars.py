"""Java archives by a lock: fetched in parallel, checked by hash, whole or not there at all.

The repository is the one that jgo knows by itself, or the mirror that `MAVEN_REPOSITORY` names.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import certifi
import httpx
import tenacity

from localcloud import seals
from localcloud.archives import Jar, read_lock
from localcloud.errors import CloudError, DownloadError

Say = Callable[[str], None]

_PARALLEL = 8
_ATTEMPTS = 5
_WAIT = tenacity.wait_random_exponential(multiplier=0.3, max=5)
_SHOWN_FAILURES = 10
_DATE = 315532800  # 1980-01-01, for every file


def missing(lock: Path, folder: Path) -> list[Jar]:
    """The files of `lock` that `folder` does not have, or has with other bytes."""
    jars = read_lock(lock)
    changed = set(seals.changed(folder, {jar.name: jar.sha256 for jar in jars}))
    return [jar for jar in jars if jar.name in changed]


def fetch(lock: Path, folder: Path, say: Say) -> int:
    """Bring `folder` to hold every file of `lock`; give the number of files fetched.

    What is there and right stays, so an interrupted call is taken up where it ended. Transient
    failures and wrong bytes are tried again, several times; a repository that gives none of the
    first files is given up. Raises DownloadError, which names the files that could not be had.
    """
    if not missing(lock, folder):
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with _only_one(folder):
        for half in folder.glob(".*.part"):  # left by a killed call
            half.unlink()
        if wanted := missing(lock, folder):  # another call may have fetched them meanwhile
            _fetch_all(lock, wanted, folder, say)
        return len(wanted)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch_all(lock: Path, wanted: list[Jar], folder: Path, say: Say) -> None:
    base = repository()
    say(f"{lock.name}: fetching {len(wanted)} files from {httpx.URL(base).host}")
    failures: list[str] = []
    ended = 0
    stop = threading.Event()
    with _client(base) as client, ThreadPoolExecutor(_PARALLEL) as pool:
        tasks = {pool.submit(_fetch_one, client, jar, folder, say, stop): jar for jar in wanted}
        try:
            for task in _with_progress(tasks, lock.name, say):
                ended += 1
                if (error := task.exception()) is not None:
                    failures.append(f"{tasks[task].coordinate}: {_reason(error)}")
                if len(failures) == ended == _PARALLEL:
                    break
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    if failures:
        raise _failed(lock, len(wanted), ended, failures)


def repository() -> str:
    """The base URL that files are fetched from, without a slash at its end.

    Raises CloudError when `MAVEN_REPOSITORY` is no URL.
    """
    from jgo.constants import MAVEN_CENTRAL_URL

    base = os.environ.get("MAVEN_REPOSITORY") or MAVEN_CENTRAL_URL
    if not re.fullmatch(r"https?://[^/\s]+\S*", base):
        raise CloudError(
            f"MAVEN_REPOSITORY: {base!r} must be the URL of a Maven repository, http:// or https://"
        )
    return base.rstrip("/")


class _WrongBytesError(Exception):
    """What came is not what the lock names: truncated, or another file."""


class _StoppedError(Exception):
    """The call that wants the file has ended."""


def _client(base: str) -> httpx.Client:
    trust = ssl.create_default_context()  # the machine's own authorities, a company's among them
    trust.load_verify_locations(certifi.where())  # and the public ones where it has none
    return httpx.Client(
        base_url=base + "/",
        verify=trust,
        timeout=30,
        follow_redirects=True,
        limits=httpx.Limits(max_connections=_PARALLEL),
    )


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError | _WrongBytesError)


def _fetch_one(
    client: httpx.Client, jar: Jar, folder: Path, say: Say, stop: threading.Event
) -> None:
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_transient),
        stop=tenacity.stop_after_attempt(_ATTEMPTS) | tenacity.stop_when_event_set(stop),
        wait=_WAIT,
        sleep=tenacity.sleep_using_event(stop),
        before_sleep=lambda state: say(
            f"{jar.name}: "
            f"{_reason(state.outcome.exception() if state.outcome else None)}; trying again"
        ),
        reraise=True,
    )
    retrying(_download, client, jar, folder, stop)


def _download(client: httpx.Client, jar: Jar, folder: Path, stop: threading.Event) -> None:
    part = folder / f".{jar.name}.{os.getpid()}.part"
    digest = hashlib.sha256()
    try:
        with client.stream("GET", jar.path) as response, part.open("wb") as file:
            response.raise_for_status()
            for block in response.iter_bytes():
                if stop.is_set():
                    raise _StoppedError
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != jar.sha256:
            kind = response.headers.get("content-type", "unknown type")
            raise _WrongBytesError(
                f"{part.stat().st_size:,} bytes of {kind} with sha256 "
                f"{digest.hexdigest()[:12]}… came, the lock names {jar.sha256[:12]}…"
            )
        # Java's class-data archives hold for a jar of the same size and date only.
        os.utime(part, (_DATE, _DATE))
        part.replace(folder / jar.name)
    finally:
        part.unlink(missing_ok=True)


def _with_progress(tasks: dict[Future[None], Jar], name: str, say: Say) -> Iterator[Future[None]]:
    """The tasks as they end, with a line every other second."""
    shown = time.monotonic()
    for done, task in enumerate(as_completed(tasks), 1):
        yield task
        if time.monotonic() - shown > 2:
            shown = time.monotonic()
            say(f"{name}: {done} of {len(tasks)} files")


def _reason(error: BaseException | None) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"the server answers {error.response.status_code}"
    return str(error) or type(error).__name__


def _failed(lock: Path, wanted: int, ended: int, failures: list[str]) -> DownloadError:
    lines = sorted(failures)[:_SHOWN_FAILURES]
    if len(failures) > len(lines):
        lines.append(f"… and {len(failures) - len(lines)} more")
    if ended < wanted:
        lines.append(f"the other {wanted - ended} were not tried: nothing came")
    listed = "\n".join(f"    {line}" for line in lines)
    return DownloadError(
        f"{len(failures)} of {wanted} files of {lock.name} could not be fetched from "
        f"{httpx.URL(repository()).host}:\n{listed}",
        hint="What came is kept: run the same command again. MAVEN_REPOSITORY names a mirror.",
    )
