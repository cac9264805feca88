"""Google's refusals and broken connections, as errors of the kit's; and which of them pass."""

from __future__ import annotations

import pytest
import requests
from google.api_core import exceptions as core
from google.auth import exceptions as auth

from taxistack.google import (
    Api,
    BusyError,
    CredentialsError,
    ForbiddenError,
    NoNetworkError,
    NotFoundError,
    explain,
    reason_to_wait,
)
from taxistack.google.errors import permission_of, role_for

# As the real provider writes them; the project's number and the account are made up.
DISABLED = """Error creating Dataset: googleapi: Error 403: BigQuery API has not been used in \
project 482915730164 before or it is disabled. Enable it by visiting \
https://console.developers.google.com/apis/api/bigquery.googleapis.com/overview?project=482915 \
then retry. If you enabled this API recently, wait a few minutes for the action to propagate to \
our systems and retry.
Details:
[
  {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "domain": "googleapis.com",
    "metadata": {"service": "bigquery.googleapis.com"},
    "reason": "SERVICE_DISABLED"
  }
]"""
OLD_FORM = (
    "Error creating Network: googleapi: Error 403: Access Not Configured. Compute Engine API has "
    "not been used in project 482915730164 before or it is disabled., accessNotConfigured"
)
ACCOUNT = (
    'Error applying IAM policy for project "some-project": Error setting IAM policy for project '
    '"some-project": googleapi: Error 400: Service account '
    "taxistack-kestra@some-project.iam.gserviceaccount.com does not exist., badRequest"
)


@pytest.mark.parametrize("text", [DISABLED, OLD_FORM])
def test_an_api_that_was_just_enabled_is_waited_for(text: str) -> None:
    assert "enabled" in (reason_to_wait(text) or "")


def test_a_new_service_account_is_waited_for() -> None:
    assert "service account" in (reason_to_wait(ACCOUNT) or "")


@pytest.mark.parametrize(
    "text",
    [
        "googleapi: Error 403: Permission 'iam.serviceAccounts.create' denied, forbidden",
        "googleapi: Error 400: Invalid value for field 'resource.name', invalid",
        "googleapi: Error 409: The resource already exists, alreadyExists",
        "googleapi: Error 404: Service account x@y.example does not exist., notFound",
    ],
)
def test_nothing_else_is_waited_for(text: str) -> None:
    assert reason_to_wait(text) is None


CONNECTION = requests.exceptions.ConnectionError(
    "HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded with url: "
    "/token (Caused by NameResolutionError(\"Failed to resolve 'oauth2.googleapis.com'\"))"
)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (auth.TransportError(CONNECTION), NoNetworkError, "its name is not found"),
        (CONNECTION, NoNetworkError, "no network"),
        (requests.exceptions.ProxyError("x"), NoNetworkError, "proxy"),
        (requests.exceptions.SSLError("certificate verify failed"), NoNetworkError, "TLS"),
        (requests.exceptions.ReadTimeout("Read timed out."), NoNetworkError, "timed out"),
        (auth.RefreshError("invalid_grant: Token has been revoked."), CredentialsError, "revoked"),
        (auth.DefaultCredentialsError("File x was not found."), CredentialsError, "File x"),
        (core.Forbidden("no"), ForbiddenError, "no"),
        (core.NotFound("gone"), NotFoundError, "gone"),
        (core.ServiceUnavailable("later"), BusyError, "later"),
        (core.TooManyRequests("slowly"), BusyError, "slowly"),
        (core.RetryError("Timeout of 120.0s exceeded", CONNECTION), NoNetworkError, "no network"),
    ],
)
def test_every_error_of_the_libraries_is_one_line(error: Exception, kind: type, words: str) -> None:
    explained = explain(error)
    assert type(explained) is kind
    assert words in str(explained)
    assert "\n" not in str(explained)


def test_an_error_of_nobody_there_stays_what_it_is() -> None:
    assert explain(ValueError("x")) is None


@pytest.mark.parametrize(
    ("said", "permission", "role"),
    [
        (
            "Permission 'secretmanager.versions.access' denied for resource 'x'",
            "secretmanager.versions.access",
            "roles/secretmanager.secretAccessor",
        ),
        (
            "Required 'compute.networks.create' permission for 'projects/p'",
            "compute.networks.create",
            "roles/compute.networkAdmin",
        ),
        (
            "me@example.com does not have storage.buckets.get access to the bucket.",
            "storage.buckets.get",
            "roles/storage.admin",
        ),
    ],
)
def test_a_refusal_names_its_permission_and_a_role(said: str, permission: str, role: str) -> None:
    assert permission_of(said) == permission
    assert role_for(permission) == role


def test_an_address_is_the_variables_or_googles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(Api.STORAGE.variable, raising=False)
    assert Api.STORAGE.root == "https://storage.googleapis.com"
    assert Api.COMPUTE.url("projects/p").endswith("/compute/v1/projects/p")
    monkeypatch.setenv(Api.STORAGE.variable, "http://127.0.0.1:1/storage/v1")
    assert Api.STORAGE.address == "http://127.0.0.1:1/storage/v1/"
    assert Api.STORAGE.root == "http://127.0.0.1:1"
    assert Api.STORAGE.service == "storage.googleapis.com"
