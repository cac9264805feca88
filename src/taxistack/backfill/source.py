"""The source as HTTP HEAD sees it: which months are published, how long, under which ETag."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from taxi_etl import release
from taxi_etl.month import Month
from taxi_etl.surroundings import is_local
from taxistack.backfill.state import SourceFile

PARALLEL = 8
TIMEOUT_S = 15.0
ATTEMPTS = 3
GONE = (404, 410)


class _Unavailable(Exception):
    """The source answered 5xx: worth another try."""


def look(
    base_url: str,
    files: Iterable[tuple[str, Month]],
    transport: httpx.BaseTransport | None = None,
) -> dict[tuple[str, Month], SourceFile]:
    """HEAD every (taxi, month) once, at most 8 at a time.

    Never raises for what the source does: a file that can't be told has `published` None and
    says why in `problem`. A site that does not answer at all is not waited for file by file:
    after the first ones the rest are not asked. Addresses come back without credentials.
    """
    wanted = sorted(set(files))
    if not wanted:
        return {}
    limits = httpx.Limits(max_connections=PARALLEL)
    with (
        httpx.Client(
            transport=transport,
            follow_redirects=True,
            timeout=TIMEOUT_S,
            limits=limits,
            trust_env=not is_local(base_url),
            headers={"Accept-Encoding": "identity"},
        ) as client,
        ThreadPoolExecutor(PARALLEL) as pool,
    ):
        site = _Site(client, base_url)
        found = pool.map(lambda one: site.look_at(*one), wanted)
        return dict(zip(wanted, found, strict=True))


class _Site:
    """The site while it is asked; its threads share what they have learned of it."""

    def __init__(self, client: httpx.Client, base_url: str) -> None:
        self._client = client
        self._base = base_url
        self._answers = False
        self._silence: str | None = None

    def look_at(self, taxi: str, month: Month) -> SourceFile:
        """Ask for one file, unless the site is known to be silent."""
        address = release.url(self._base, taxi, month)
        url = release.shown(address)
        if self._silence and not self._answers:
            return SourceFile(taxi, month, url, None, problem=self._silence)
        try:
            answer = _head(self._client, address)
        except (httpx.HTTPError, httpx.InvalidURL, _Unavailable) as error:
            problem = f"{url}: {str(error) or type(error).__name__}"
            if isinstance(error, httpx.TransportError):
                self._silence = self._silence or problem
            return SourceFile(taxi, month, url, None, problem=problem)
        self._answers = True
        return _file(taxi, month, url, answer)


def _file(taxi: str, month: Month, url: str, answer: httpx.Response) -> SourceFile:
    if answer.status_code in GONE:
        return SourceFile(taxi, month, url, False)
    if answer.is_error:
        problem = f"{url} answers {answer.status_code}"
        return SourceFile(taxi, month, url, None, problem=problem)
    length = answer.headers.get("Content-Length", "")
    return SourceFile(
        taxi,
        month,
        url,
        published=True,
        length=int(length) if length.isdigit() else None,
        etag=answer.headers.get("ETag"),
    )


def _head(client: httpx.Client, url: str) -> httpx.Response:
    retrying = Retrying(
        retry=retry_if_exception_type((httpx.TransportError, _Unavailable)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=0.2, max=2),
        reraise=True,
    )
    for attempt in retrying:
        with attempt:
            answer = client.head(url)
            if answer.status_code >= 500:
                raise _Unavailable(f"answers {answer.status_code}")
            return answer
    raise AssertionError("tenacity gives a result or raises")  # pragma: no cover
