"""What Google's side can answer or fail with, in the kit's own tree.

    taxistack.errors.MissingError       exit 3
    ├── NoNetworkError      nothing answers: no network, no name resolution, a proxy in between
    ├── CredentialsError    there are none, their file is broken, or they have expired
    └── ForbiddenError      403: a role or billing is missing
        └── DisabledApiError    403: the API is not enabled in the project, or not yet
    taxistack.errors.FailedError        exit 1
    └── ApiError            any other refusal
        └── NotFoundError   404
    taxistack.errors.TransientError     exit 1
    └── BusyError           429, 500, 502, 503, 504 or a broken connection, several times over

`explain` turns every exception of google.auth, google.api_core and requests into one of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from taxistack.errors import FailedError, MissingError, TaxistackError, TransientError

LOGIN = "gcloud auth application-default login"
_DISABLED = ("SERVICE_DISABLED", "accessNotConfigured")
_BUSY = (429, 500, 502, 503, 504)
# The permission that a refusal names, in the three ways in which Google's services write it.
_PERMISSION = re.compile(
    r"Permission '([\w.]+)'|Required '([\w.]+)' permission|does not have ([\w.]+\.[\w.]+) access"
)
# A role that holds the permission; the first prefix that fits counts.
_ROLES = {
    "secretmanager.versions.access": "roles/secretmanager.secretAccessor",
    "secretmanager.": "roles/secretmanager.admin",
    "storage.": "roles/storage.admin",
    "bigquery.jobs.": "roles/bigquery.jobUser",
    "bigquery.": "roles/bigquery.dataOwner",
    "compute.instances.": "roles/compute.instanceAdmin.v1",
    "compute.disks.": "roles/compute.instanceAdmin.v1",
    "compute.snapshots.": "roles/compute.instanceAdmin.v1",
    "compute.firewalls.": "roles/compute.securityAdmin",
    "compute.": "roles/compute.networkAdmin",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "iam.serviceAccounts.": "roles/iam.serviceAccountAdmin",
    "iap.": "roles/iap.tunnelResourceAccessor",
    "logging.": "roles/logging.configWriter",
    "monitoring.alertPolicies.": "roles/monitoring.alertPolicyEditor",
    "monitoring.notificationChannels.": "roles/monitoring.notificationChannelEditor",
    "serviceusage.": "roles/serviceusage.serviceUsageAdmin",
    "resourcemanager.": "roles/resourcemanager.projectIamAdmin",
}


class NoNetworkError(MissingError):
    """Google does not answer at all."""


class CredentialsError(MissingError):
    """There are no credentials, or they are not accepted."""


class ForbiddenError(MissingError):
    """Google refuses: the message is Google's, the hint names the role."""


class DisabledApiError(ForbiddenError):
    """The API is not enabled in the project, or was enabled too short a time ago."""


class ApiError(FailedError):
    """Google refuses for another reason; `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int, hint: str | None = None) -> None:
        """`status`: HTTP status of the answer."""
        super().__init__(message, hint=hint)
        self.status = status


class NotFoundError(ApiError):
    """What was asked for does not exist."""


class BusyError(TransientError):
    """Google is busy, or the connection broke, and it did not pass."""


def permission_of(text: str) -> str | None:
    """The permission that Google's refusal names, such as `compute.instances.get`."""
    match = _PERMISSION.search(text)
    return next((part for part in match.groups() if part), None) if match else None


def role_for(permission: str) -> str | None:
    """A predefined role that holds `permission`, as infra/bootstrap/ci.tf grants them."""
    return next((role for prefix, role in _ROLES.items() if permission.startswith(prefix)), None)


def message_of(body: object) -> str:
    """Google's own words in an error body: JSON of either form, or a text."""
    if isinstance(body, Mapping):
        error = body.get("error")
        if isinstance(error, Mapping):
            return " ".join(str(error.get("message", "")).split())
        said = body.get("error_description") or error or ""
        return " ".join(str(said).split())
    return " ".join(str(body).split())[:300]


def reasons_of(body: object) -> set[str]:
    """Every machine-readable reason in an error body (`details[].reason`, `errors[].reason`)."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return {str(error)} if error else set()
    entries = [*(error.get("details") or []), *(error.get("errors") or [])]
    reasons = {str(entry.get("reason", "")) for entry in entries if isinstance(entry, Mapping)}
    return {reason for reason in (*reasons, str(error.get("status", ""))) if reason}


def refusal(doing: str, status: int, body: object) -> TaxistackError:
    """The error of an answer with this HTTP status. `doing`: what was asked, for a person."""
    said = message_of(body)
    text = f"{doing}: {said}" if said else f"{doing}: HTTP {status}"
    if status == 401:
        return CredentialsError(f"{text} (HTTP 401)", hint=LOGIN)
    if status == 403:
        return _forbidden(text, said, reasons_of(body))
    if status in _BUSY:
        return BusyError(f"{text} (HTTP {status})", hint="run the same command again")
    kind = NotFoundError if status == 404 else ApiError
    return kind(f"{text} (HTTP {status})", status=status)


def _forbidden(text: str, said: str, reasons: set[str]) -> ForbiddenError:
    if reasons & set(_DISABLED) or "has not been used in project" in said:
        return DisabledApiError(
            text, hint="invoke setup enables the APIs; a newly enabled one takes some minutes"
        )
    if "BILLING_DISABLED" in reasons or "billing" in said.lower():
        return ForbiddenError(
            text, hint="link a billing account: gcloud billing projects link PROJECT"
        )
    permission = permission_of(said)
    role = role_for(permission) if permission else None
    if role:
        return ForbiddenError(text, hint=f"ask an owner of the project for the role {role}")
    return ForbiddenError(text, hint="ask an owner of the project for the role that is missing")


def explain(error: BaseException, doing: str = "Google Cloud") -> TaxistackError | None:
    """The kit's own error for one of google.auth's, api_core's or requests'; None for others.

    `doing`: what was asked, for a person; an error that carries an address names its host.
    """
    import requests
    from google.api_core import exceptions as core
    from google.auth import exceptions as auth

    if isinstance(error, TaxistackError):
        return error
    if isinstance(error, core.RetryError):
        return explain(error.cause, doing) if error.cause else _silent(doing, error)
    if isinstance(error, core.GoogleAPICallError) and error.code is not None:
        return refusal(doing, int(error.code), _body(error))
    if isinstance(error, auth.TransportError):
        cause = error.args[0] if error.args else None
        inner = cause if isinstance(cause, requests.RequestException) else error
        return _silent(doing, inner)
    if isinstance(error, (auth.RefreshError, auth.OAuthError)):
        return expired(error)
    if isinstance(error, auth.DefaultCredentialsError):
        return CredentialsError(f"Google Cloud credentials: {error}", hint=LOGIN)
    if isinstance(error, (auth.GoogleAuthError, core.GoogleAPIError)):
        return FailedError(f"{doing}: {error}")
    if isinstance(error, requests.RequestException):
        return _silent(doing, error)
    return None


def _body(error: Any) -> object:
    """api_core's error in the form of an answer's body."""
    return {
        "error": {
            "message": error.message,
            "errors": [entry for entry in error.errors if isinstance(entry, Mapping)],
            "details": [{"reason": error.reason}] if error.reason else [],
        }
    }


def expired(error: BaseException) -> CredentialsError:
    """A refused token: `invalid_grant` and its kin."""
    said = " ".join(str(error.args[0] if error.args else error).split())
    return CredentialsError(f"the Google Cloud credentials are not accepted: {said}", hint=LOGIN)


def _silent(doing: str, error: BaseException) -> TaxistackError:
    """Nothing answered, or the connection broke."""
    import requests

    host = _host(error)
    place = f"{doing} ({host})" if host else doing
    if isinstance(error, requests.exceptions.ProxyError):
        return NoNetworkError(
            f"{place}: the proxy does not answer",
            hint="HTTPS_PROXY names it; NO_PROXY exempts addresses",
        )
    if isinstance(error, requests.exceptions.SSLError):
        return NoNetworkError(
            f"{place}: TLS fails: {_innermost(error)}",
            hint="check the clock, and REQUESTS_CA_BUNDLE where a proxy opens TLS",
        )
    return NoNetworkError(
        f"no network: {place} does not answer ({_innermost(error)})",
        hint="check the connection, and HTTPS_PROXY where a proxy is needed",
    )


def _host(error: BaseException) -> str:
    request = getattr(error, "request", None)
    return urlsplit(str(request.url)).netloc if request is not None and request.url else ""


def _innermost(error: BaseException) -> str:
    """The cause that says most, without the addresses of Python objects."""
    text = str(error)
    for sign in ("NameResolutionError", "Name or service not known", "name resolution"):
        if sign in text:
            return "its name is not found"
    for sign, words in (
        ("timed out", "timed out"),
        ("Connection refused", "connection refused"),
        ("Network is unreachable", "network is unreachable"),
        ("No route to host", "no route to host"),
        ("reset by peer", "connection reset"),
        ("RemoteDisconnected", "connection closed"),
    ):
        if sign in text:
            return words
    return re.sub(r"<[^>]*>:? ?", "", text)[:200]
