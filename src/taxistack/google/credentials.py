"""Application Default Credentials: found and tried once, within seconds, before anything else.

What finds them (google.auth) asks files, then the metadata server of a VM; a token is fetched at
once, so that whatever is wrong shows here: no network, an expired login, a broken file. Name
resolution knows no time limit, hence the thread.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from taxistack.errors import TaxistackError
from taxistack.google.errors import LOGIN, BusyError, CredentialsError, NoNetworkError, explain

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
# What Terraform's provider or its GCS backend obeys before that, and Google's libraries do not
# (their "Provider reference", section "Authentication"; "gcs" backend, "Configuration Variables").
TERRAFORMS_ALONE = (
    "GOOGLE_CREDENTIALS",
    "GOOGLE_CLOUD_KEYFILE_JSON",
    "GCLOUD_KEYFILE_JSON",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
    "GOOGLE_BACKEND_CREDENTIALS",
    "GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT",
)
SECONDS = 12.0  # until it counts as no network
_ONE_CALL = 5.0  # seconds for one request of these

Result = TypeVar("Result")

# They warn of the metadata server that a laptop does not have, of a project that is ours to say,
# and of every connection that is tried again.
for _name in ("google.auth", "urllib3.connectionpool"):
    logging.getLogger(_name).setLevel(logging.ERROR)


def find() -> Credentials:
    """The credentials of this machine, with a fresh token.

    Raises CredentialsError (there are none, their file is broken, they have expired, Terraform
    would take others), NoNetworkError, BusyError.
    """
    _refuse_two_accounts()
    _check_named_file()
    try:
        return within(SECONDS, _load)
    except TaxistackError:
        raise
    except Exception as error:
        explained = _in_file(error) or explain(error, "fetching a token")
        if explained is None:
            raise
        raise explained from error


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """The result of `work`, or its exception; NoNetworkError when it takes longer than `seconds`.

    What takes longer is left to itself in a thread that ends with the program.
    """
    result: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not result:
        raise NoNetworkError(
            f"no network: Google did not answer within {seconds:.0f} s",
            hint="check the connection, and HTTPS_PROXY where a proxy is needed",
        )
    return result[0]


def _load() -> Credentials:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import Request

    request: Any = partial(Request(), timeout=_ONE_CALL)
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE], request=request)
    except DefaultCredentialsError as error:
        if os.environ.get(VARIABLE) or "were not found" not in str(error):
            raise
        raise CredentialsError(
            "no Google Cloud credentials on this machine", hint=_LOG_IN
        ) from None
    try:
        credentials.refresh(request)
    except Exception as error:
        if getattr(error, "retryable", False):  # google.auth has tried three times
            raise BusyError(
                f"fetching a token: {error}", hint="run the same command again"
            ) from error
        raise
    return credentials


_LOG_IN = f"{LOGIN} (key files are not needed)"


def _refuse_two_accounts() -> None:
    """Refuse variables that only Terraform obeys: it and the kit must act as the same account."""
    if named := [name for name in TERRAFORMS_ALONE if os.environ.get(name)]:
        names = " and ".join(named)
        raise CredentialsError(
            f"{names}: Terraform would obey it and the kit's own calls would not, so they would "
            "act as two accounts",
            hint=f"unset {' '.join(named)}; both obey {VARIABLE}, and `gcloud auth "
            "application-default login --impersonate-service-account=…`",
        )


def _check_named_file() -> None:
    """A file that the variable names must be there: to log in would change nothing."""
    path = os.environ.get(VARIABLE)
    if path and not os.path.isfile(path):  # noqa: PTH113 (as google.auth reads it: no ~)
        raise CredentialsError(
            f"{VARIABLE} names {path}, which is no file",
            hint=f"unset {VARIABLE} and {LOGIN}; or let it name a credentials file",
        )


def _in_file(error: Exception) -> CredentialsError | None:
    """A file that can't be read: which, and by what it was found."""
    from google.auth import _cloud_sdk
    from google.auth.exceptions import DefaultCredentialsError, RefreshError

    # google.auth takes the content for a mapping with the right types.
    content = (AttributeError, KeyError, TypeError, ValueError)
    broken = isinstance(error, (DefaultCredentialsError, OSError, *content))
    if isinstance(error, RefreshError) or not broken:
        return None
    said = " ".join(str(error.args[0] if error.args else error).split())
    if path := os.environ.get(VARIABLE):
        return CredentialsError(
            f"{VARIABLE} names {path}, which is no usable credentials file: {said}",
            hint=f"unset {VARIABLE} and {LOGIN}; or let it name a credentials file",
        )
    path = _cloud_sdk.get_application_default_credentials_path()
    return CredentialsError(f"{path} is no usable credentials file: {said}", hint=LOGIN)
