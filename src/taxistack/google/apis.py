"""Calls of Google's REST APIs: with a time limit, retried while Google is busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taxistack.errors import TaxistackError
from taxistack.google import credentials
from taxistack.google.endpoints import Api
from taxistack.google.errors import BusyError, explain, refusal

if TYPE_CHECKING:
    import requests
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud import bigquery, storage

ATTEMPTS = 5
CONNECT, READ = 5.0, 30.0  # seconds of one attempt
_LONGEST = 30.0  # seconds between two attempts, whatever Retry-After says
_RETRIED = (429, 500, 502, 503, 504)


class GoogleApis:
    """Google's APIs with the operator's credentials; nothing is contacted before the first call."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """`sleep`: how a pause between two attempts is made."""
        self._sleep = sleep

    @cached_property
    def credentials(self) -> Credentials:
        """The operator's credentials, tried once. Raises as `credentials.find`."""
        return credentials.find()

    @cached_property
    def session(self) -> AuthorizedSession:
        """A session that carries the token, and fetches another when Google answers 401."""
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(self.credentials)

    def check(self) -> None:
        """Whether there is a network, and credentials that are accepted; asked once.

        Raises CredentialsError, NoNetworkError or BusyError, within 15 seconds.
        """
        _ = self.credentials

    def call(
        self,
        method: str,
        api: Api,
        path: str,
        *,
        doing: str,
        params: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> dict[str, Any]:
        """One call; the answer's JSON, empty when it has none.

        `doing`: what is asked, for a person: it begins the message of an error. Only calls that
        may be made twice are for this method: 429, 5xx and a broken connection are tried again.
        Raises ForbiddenError, DisabledApiError, NotFoundError, ApiError, CredentialsError,
        BusyError, NoNetworkError.
        """
        session = self.session
        for attempt in range(1, ATTEMPTS + 1):
            answer = self._attempt(session, method, api.url(path), params, json, doing, attempt)
            if answer is None:
                continue
            if answer.status_code in _RETRIED and attempt < ATTEMPTS:
                self._sleep(_pause(attempt, answer.headers.get("Retry-After")))
                continue
            body = _content(answer)
            if not answer.ok:
                raise refusal(doing, answer.status_code, body)
            return body if isinstance(body, dict) else {}
        raise BusyError(f"{doing}: no answer in {ATTEMPTS} attempts")

    def _attempt(
        self,
        session: AuthorizedSession,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        json: Any,
        doing: str,
        attempt: int,
    ) -> requests.Response | None:
        """The answer; None when the connection broke and another attempt may be made."""
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        try:
            answer: requests.Response = session.request(
                method, url, params=params, json=json, timeout=(CONNECT, READ)
            )
            return answer
        except (RequestException, GoogleAuthError) as error:
            if attempt < _attempts(error):
                self._sleep(_pause(attempt, None))
                return None
            raise explain(error, doing) or error from error

    def get(self, api: Api, path: str, *, doing: str, **params: str) -> dict[str, Any]:
        """`call` with GET."""
        return self.call("GET", api, path, doing=doing, params=params)

    def pages(self, api: Api, path: str, *, doing: str, **params: str) -> Iterator[dict[str, Any]]:
        """Every page of a list (`nextPageToken`)."""
        token = ""
        while True:
            page = self.get(
                api, path, doing=doing, **params, **({"pageToken": token} if token else {})
            )
            yield page
            token = page.get("nextPageToken", "")
            if not token:
                return

    # --- Google's own client libraries --------------------------------------------------------

    def storage(self, project: str) -> storage.Client:
        """A client of Cloud Storage. The address is given: the library would obey an emulator's."""
        from google.cloud import storage

        return storage.Client(
            project=project,
            credentials=self.credentials,
            client_options={"api_endpoint": Api.STORAGE.root},
        )

    def bigquery(self, project: str, location: str | None) -> bigquery.Client:
        """A client of BigQuery, as `storage`."""
        from google.cloud import bigquery

        return bigquery.Client(
            project=project,
            location=location or None,
            credentials=self.credentials,
            client_options={"api_endpoint": Api.BIGQUERY.root},
        )


def _attempts(error: BaseException) -> int:
    """How often such a call is made: a connection that broke may hold next time."""
    from google.auth.exceptions import TransportError
    from requests import RequestException

    if not isinstance(error, (RequestException, TransportError)):
        return 1
    text = str(error)
    broken = any(sign in text for sign in ("reset by peer", "RemoteDisconnected", "Read timed out"))
    return ATTEMPTS if broken else 2


def _pause(attempt: int, retry_after: str | None) -> float:
    if retry_after and retry_after.isdigit():
        return min(float(retry_after), _LONGEST)
    return min(2.0 ** (attempt - 1), _LONGEST)


def _content(answer: requests.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return answer.text


def explained(error: Exception) -> TaxistackError | None:
    """The kit's own error for one of Google's libraries that no call has translated; else None."""
    module = type(error).__module__
    if module.startswith(("google.auth", "google.api_core", "google.cloud", "requests")):
        return explain(error)
    return None
