"""Tokens: workload identity, as CI has it. A made-up token is exchanged for one that works here.

The exchange is the real one's two steps (Security Token Service, then IAM Credentials for the
deployer's account), run by google.auth from a credentials file as
`gcloud iam workload-identity-pools create-cred-config` writes it.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

from tests.gcp.cloud.answers import Answer, Refused, Request

AUDIENCE = (
    "//iam.googleapis.com/projects/482915730164/locations/global/workloadIdentityPools/"
    "tests/providers/tests"
)
SUBJECT = "a-token-of-the-tests-own"
ACCOUNT = "taxistack-deployer@some-project.iam.gserviceaccount.com"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LIFE = 3600  # seconds


class Tokens:
    """Who has which token, and until when."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._federated: dict[str, float] = {}
        self._account: dict[str, float] = {}

    def write(self, folder: Path, url: str) -> Path:
        """Write the credentials file; returns its path."""
        subject = folder / "subject-token"
        subject.write_text(SUBJECT)
        path = folder / "credentials.json"
        content = {
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{url}/sts/v1/token",
            "service_account_impersonation_url": (
                f"{url}/iamcredentials/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
            ),
            "credential_source": {"file": str(subject)},
        }
        path.write_text(json.dumps(content))
        return path

    def expire(self) -> None:
        """Every token of the account that was given out so far is refused from now on."""
        self._account.clear()

    def check(self, request: Request) -> None:
        """Raises Refused (401) without a token that works."""
        token = _bearer(request)
        if self._account.get(token, 0) < time.time():
            said = "Invalid Credentials" if token else "Request is missing required authentication"
            raise Refused(401, "UNAUTHENTICATED", f"{said} credential.")

    def answer(self, request: Request) -> Answer:
        """The exchange, and whose a token is."""
        if request.method == "POST" and request.path == "/sts/v1/token":
            return self._exchange(dict(parse_qsl(request.body.decode())))
        if re.fullmatch(r"/iamcredentials/v1/projects/-/.*:generateAccessToken", request.path):
            return self._impersonate(request)
        if request.path == "/oauth2/tokeninfo":
            return self._tokeninfo({**request.query, **dict(parse_qsl(request.body.decode()))})
        return Answer.of({"error": "not_found"}, 404)

    def _exchange(self, form: dict[str, str]) -> Answer:
        wanted = {"grant_type": _EXCHANGE, "audience": AUDIENCE, "subject_token": SUBJECT}
        for name, value in wanted.items():
            if form.get(name) != value:
                said = {"error": "invalid_grant", "error_description": f"The {name} is not valid."}
                return Answer.of(said, 400)
        token = self._new("federated", self._federated)
        kind = "urn:ietf:params:oauth:token-type:access_token"
        given = {"access_token": token, "issued_token_type": kind, "token_type": "Bearer"}
        return Answer.of({**given, "expires_in": LIFE})

    def _impersonate(self, request: Request) -> Answer:
        if self._federated.get(_bearer(request), 0) < time.time():
            return Refused(401, "UNAUTHENTICATED", "Invalid Credentials").answer()
        if _SCOPE not in request.json.get("scope", []):
            return Refused(400, "INVALID_ARGUMENT", "Scope required.").answer()
        until = datetime.now(UTC) + timedelta(seconds=LIFE)
        token = self._new("account", self._account)
        return Answer.of({"accessToken": token, "expireTime": f"{until:%Y-%m-%dT%H:%M:%SZ}"})

    def _tokeninfo(self, form: dict[str, str]) -> Answer:
        until = self._account.get(form.get("access_token", ""), 0)
        if until < time.time():
            said = {"error": "invalid_token", "error_description": "Invalid Value"}
            return Answer.of(said, 400)
        left = str(int(until - time.time()))
        return Answer.of({"email": ACCOUNT, "email_verified": "true", "scope": _SCOPE,
                          "expires_in": left})  # fmt: skip

    def _new(self, kind: str, kept: dict[str, float]) -> str:
        token = f"{kind}-{next(self._numbers)}"
        kept[token] = time.time() + LIFE
        return token


def _bearer(request: Request) -> str:
    kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
    return token if kind == "Bearer" else ""
