"""The source as HTTP HEAD sees it: which months are published, how long, under which ETag."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from taxi_etl import release
from taxi_etl.month import Month
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
    says why in `problem`.
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
            headers={"Accept-Encoding": "identity"},
        ) as client,
        ThreadPoolExecutor(PARALLEL) as pool,
    ):
        found = pool.map(lambda one: _look_at(client, base_url, *one), wanted)
        return dict(zip(wanted, found, strict=True))


def _look_at(client: httpx.Client, base_url: str, taxi: str, month: Month) -> SourceFile:
    url = release.url(base_url, taxi, month)
    try:
        answer = _head(client, url)
    except (httpx.HTTPError, httpx.InvalidURL, _Unavailable) as error:
        return SourceFile(taxi, month, url, None, problem=f"{url}: {error or type(error).__name__}")
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
