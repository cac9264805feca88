"""What a Kestra server can answer instead of what was asked, as exceptions.

    taxistack.errors.FailedError
    ├── KestraError            the server refused: `status`, `title`, `detail`, `errors`
    │   ├── Unauthorized       401, 403   user or password
    │   ├── NotFound           404, 410   no such flow, execution, key, file
    │   ├── Conflict           409, 423   exists already, already finished, locked
    │   ├── Invalid            400, 422   flow, input, label or filter
    │   ├── Broken             500        the server failed at it: another try may succeed
    │   └── NotOffered         501        the server has no such call (the embedded engine says so)
    └── taxistack.errors.TransientError
        └── Unavailable        no answer, or 429, 502, 503, 504: trying again may succeed

Kestra 2.0 answers `application/problem+json` (RFC 9457); an older or half-way server answers
`{"message": …}` or nothing at all, so every part is optional here. Credentials travel in a header
and never come near a message.
"""

from __future__ import annotations

from typing import Any

import httpx

from taxistack.errors import FailedError, TransientError

TRANSIENT_STATUSES = frozenset({429, 502, 503, 504})
"""Statuses that say "not now" rather than "no"."""


class KestraError(FailedError):
    """The server understood the call and refused it."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        title: str = "",
        detail: str = "",
        errors: tuple[dict[str, Any], ...] = (),
        hint: str | None = None,
    ) -> None:
        """`status`: HTTP; `detail`: the server's own words; `errors`: one per wrong field."""
        super().__init__(message, hint=hint)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors


class Unauthorized(KestraError):
    """User name or password are not this server's."""


class NotFound(KestraError):
    """There is no such object on the server."""


class Conflict(KestraError):
    """The object's state does not allow it."""


class Invalid(KestraError):
    """What was sent breaks a rule of the server."""


class Broken(KestraError):
    """The server failed at it, for a reason of its own: its database was busy, or it has a bug."""


class NotOffered(KestraError):
    """This server does not have that call."""


class Unavailable(TransientError):
    """The server did not answer, or answered that it cannot at the moment."""


_BY_STATUS: dict[int, type[KestraError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    422: Invalid,
    423: Conflict,
    500: Broken,
    501: NotOffered,
}


def problem(response: httpx.Response, step: str) -> KestraError | Unavailable:
    """The exception for an answer of status 400 or more; its body must have been read.

    `step` says what was being done, for example "create execution of taxi.hello_world".
    """
    body = _object(response)
    errors = tuple(error for error in body.get("errors") or () if isinstance(error, dict))
    title = str(body.get("title") or "")
    detail = str(body.get("detail") or body.get("message") or "")
    words = _words(detail or title or response.reason_phrase, errors)
    status = response.status_code
    server = f"{response.url.scheme}://{response.url.netloc.decode('ascii')}"
    if status in TRANSIENT_STATUSES:
        return Unavailable(
            f"{step}: Kestra at {server} cannot answer now ({status}: {words})",
            hint="try again in a moment",
        )
    kind = _BY_STATUS.get(status, KestraError)
    hint = "check the user and password of the server" if kind is Unauthorized else None
    return kind(
        f"{step}: Kestra answered {status}: {words}",
        status=status,
        title=title,
        detail=detail,
        errors=errors,
        hint=hint,
    )


def no_answer(error: httpx.HTTPError, server: str, step: str) -> Unavailable:
    """The exception for a call that got no answer: refused, cut off or too slow."""
    reason = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error)
    return Unavailable(
        f"{step}: Kestra at {server} does not answer: {reason or type(error).__name__}",
        hint="`invoke status` says what runs and how to start the rest",
    )


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _words(detail: str, errors: tuple[dict[str, Any], ...]) -> str:
    fields = [_field(error) for error in errors]
    extra = [text for text in fields if text and text not in detail]
    return "; ".join([detail, *extra]) if extra else detail


def _field(error: dict[str, Any]) -> str:
    text = str(error.get("detail") or error.get("message") or "")
    place = str(error.get("path") or error.get("pointer") or "")
    return f"{place}: {text}" if place and text else text
