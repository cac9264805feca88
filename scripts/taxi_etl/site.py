"""The release site over HTTP: which way it is reached, whom it is trusted by, what goes wrong.

By requests, because Google's libraries bring it into each step's process anyway.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import requests
from certifi import where
from requests.adapters import BaseAdapter
from urllib3 import exceptions as wire

from taxi_etl.errors import SourceRefused, SourceSilent, SourceUnreachable
from taxi_etl.release import shown
from taxi_etl.surroundings import is_local

_TIMEOUT = (10, 20)  # seconds to connect, seconds without a byte
_REDIRECTS = 20
_PIECE = 64 << 10


class Site(requests.Session):
    """The client of all calls to the release site. It logs in nowhere: no source has a password.

    `transport` is the seam for tests. `base`: the site's address; nothing of the environment
    (proxies, certificates) counts for one on this machine.
    """

    def __init__(self, transport: BaseAdapter | None = None, base: str = "") -> None:
        """Nothing is sent yet, and no certificate read."""
        super().__init__()
        self.trust_env = not is_local(base)
        self.max_redirects = _REDIRECTS
        self.auth = _as_it_is  # else requests looks for a login in ~/.netrc
        self.headers.update({"Accept-Encoding": "identity", "User-Agent": "taxi-etl"})
        if transport is not None:
            self.mount("http://", transport)
            self.mount("https://", transport)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """After a redirect: here too requests would look into ~/.netrc."""

    @contextmanager
    def answer(
        self, method: str, url: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[requests.Response]:
        """The answer, redirects followed; its body comes by `pieces`.

        Raises SourceSilent, SourceUnreachable or SourceRefused, also for what goes wrong while
        the body is read.
        """
        with (
            _explaining(url),
            self.request(
                method,
                url,
                headers=headers,
                allow_redirects=True,
                stream=method != "HEAD",
                timeout=_TIMEOUT,
                verify=_authorities(environment=self.trust_env),
            ) as answer,
        ):
            yield answer


def pieces(answer: requests.Response) -> Iterator[bytes]:
    """The body as it stands on the wire (nothing is decoded), each piece as soon as it is there."""
    while piece := answer.raw.read1(_PIECE, decode_content=False):
        yield piece


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _authorities(*, environment: bool) -> str:
    """Where the certificates are that count: a file or a folder. It is read by who needs it."""
    named = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environment]
    return next(filter(None, named), where())


@contextmanager
def _explaining(url: str) -> Iterator[None]:
    """Turn the libraries' errors into ours, with the address and without its credentials."""
    try:
        yield
    except (requests.RequestException, wire.HTTPError) as error:
        raise _explained(shown(url), [*_chain(error)]) from error


def _explained(url: str, chain: list[BaseException]) -> SourceUnreachable | SourceRefused:
    """The error in our words; `chain`: from the one that was raised to the one that began it."""
    raised, began = chain[0], chain[-1]
    why = f"{url}: {_words(began)}"
    if isinstance(raised, (requests.TooManyRedirects, requests.exceptions.InvalidURL)):
        return SourceRefused(why)
    if isinstance(raised, requests.Timeout) or isinstance(began, TimeoutError):
        return SourceSilent(f"{url}: no answer in time")
    if isinstance(raised, requests.exceptions.ProxyError):
        return SourceSilent(why)
    broke = (wire.ProtocolError, requests.exceptions.ChunkedEncodingError)
    if isinstance(raised, wire.HTTPError) or any(isinstance(one, broke) for one in chain):
        return SourceUnreachable(why)
    return SourceSilent(why)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: requests wraps urllib3's, and urllib3 the system's."""
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        held = [one for one in inner.args if isinstance(one, BaseException)]
        inner = inner.__cause__ or next(reversed(held), None)


def _words(error: BaseException) -> str:
    if isinstance(error, wire.IncompleteRead):
        return f"the connection ended after {error.partial} bytes, {error.expected} before the end"
    if isinstance(error, IncompleteRead):
        return "the connection ended in the middle of the body"
    if isinstance(error, HTTPException) and not isinstance(error, RemoteDisconnected):
        return f"the answer is no HTTP: {str(error).strip()[:80]!r}"
    return str(error) or type(error).__name__
