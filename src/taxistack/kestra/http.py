"""The one place where bytes go to a Kestra server and come back."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from taxi_etl.surroundings import is_local
from taxistack.kestra.problems import Broken, NotFound, Unavailable, no_answer, problem
from taxistack.kestra.trust import Trust

READ_ATTEMPTS = 4
"""How often a read is tried in all; a write is sent once, because it may have been done."""

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
"""Seconds; a call that waits for an execution passes its own."""

Params = Sequence[tuple[str, str]]

JSON = "application/json"
TEXT_JSON = "text/json"
"""What Kestra 2.0 makes of a kill; the same JSON."""
BYTES = "application/octet-stream"
EVENTS = "text/event-stream"
_PROBLEM = "application/problem+json"
# What a name in a path would turn into another address: a query, a fragment, a step up.
_ODD = re.compile(r"[?#\\\s]|(^|/)\.{0,2}(/|$)")

_log = logging.getLogger(__name__)


class Http:
    """Calls below `<url>/api/v1`, with basic auth, retried reads and errors as exceptions."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        transport: httpx.BaseTransport | None = None,
        *,
        retry_wait: float = 0.2,
    ) -> None:
        """`transport` is the seam for tests; `retry_wait` the first pause in seconds."""
        self.url = url.rstrip("/")
        self._retry_wait = retry_wait
        trust_env = not is_local(self.url)  # a SOCKS proxy breaks a client that won't use it
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v1/",
            auth=httpx.BasicAuth(user, password),
            timeout=TIMEOUT,
            transport=transport,
            trust_env=trust_env,
            verify=Trust(trust_env=trust_env),
            follow_redirects=False,
        )
        self.first: Callable[[], object] | None = None
        """Run once, before the first call of all: whether this is a server that we speak to."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def read(self, path: str, step: str, params: Params = (), accept: str = JSON) -> httpx.Response:
        """GET; tried again when the server does not answer, cannot at the moment, or fails at it.

        `accept`: see `send`. Raises `Unavailable` or `Broken` after the last try, another
        `KestraError` at once.
        """
        self._greet()
        for attempt in Retrying(
            retry=retry_if_exception_type((Unavailable, Broken)),
            stop=stop_after_attempt(READ_ATTEMPTS),
            wait=wait_exponential_jitter(
                multiplier=self._retry_wait, max=5, jitter=self._retry_wait
            ),
            reraise=True,
        ):
            with attempt:
                return self.send("GET", path, step, params=params, accept=accept)
        raise AssertionError("unreachable: the last attempt raises")

    def json(self, path: str, step: str, params: Params = ()) -> Any:
        """The JSON that a GET answers."""
        return _json(self.read(path, step, params), step)

    def send(
        self,
        verb: str,
        path: str,
        step: str,
        *,
        params: Params = (),
        timeout: httpx.Timeout | None = None,
        accept: str = JSON,
        content_type: str | None = None,
        **body: Any,
    ) -> httpx.Response:
        """One request, sent once. `body`: httpx's own `content`, `json`, `files`.

        `accept`: the media type that the route makes; a server answers 406 to any other.
        """
        _refuse_odd(path, step)
        self._greet()
        body["headers"] = {"Accept": f"{accept}, {_PROBLEM}"}
        if content_type is not None:
            body["headers"]["Content-Type"] = content_type
        if timeout is not None:
            body["timeout"] = timeout
        try:
            response = self._client.request(verb, path, params=list(params), **body)
        except httpx.HTTPError as error:
            raise no_answer(error, self.url, step) from None
        _log.debug("%s %s -> %s", verb, path, response.status_code)
        if response.status_code >= 400:
            raise problem(response, step)
        return response

    def send_json(self, verb: str, path: str, step: str, **rest: Any) -> Any:
        """Like `send`; answers the decoded body, None when it is empty."""
        response = self.send(verb, path, step, **rest)
        return _json(response, step) if response.content else None

    @contextmanager
    def events(self, path: str, step: str, idle: float) -> Iterator[Iterator[str]]:
        """Lines of a server-sent event stream; `idle` = seconds of silence that end it."""
        _refuse_odd(path, step)
        self._greet()
        try:
            with self._client.stream(
                "GET",
                path,
                headers={"Accept": f"{EVENTS}, {_PROBLEM}"},
                timeout=httpx.Timeout(30.0, connect=5.0, read=idle),
            ) as response:
                if response.status_code >= 400:
                    response.read()
                    raise problem(response, step)
                yield response.iter_lines()
        except httpx.HTTPError as error:
            raise no_answer(error, self.url, step) from None

    def _greet(self) -> None:
        first, self.first = self.first, None
        if first is None:
            return
        try:
            first()
        except Exception:
            self.first = first  # not known yet: the next call asks again
            raise


def labels_params(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """Labels the way a create call takes them: `labels=key:value`, one parameter each."""
    return [("labels", f"{key}:{value}") for key, value in labels.items()]


def _refuse_odd(path: str, step: str) -> None:
    if _ODD.search(path):
        words = "there is nothing of that name: it has characters that no name of Kestra's has"
        raise NotFound(f"{step}: {words}", status=404, detail=words)


def _json(response: httpx.Response, step: str) -> Any:
    try:
        return response.json()
    except ValueError:
        raise Unavailable(
            f"{step}: {response.url.host} answered {response.status_code} without JSON; "
            "is this a Kestra server?"
        ) from None
