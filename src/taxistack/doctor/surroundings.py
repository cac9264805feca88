"""What the checks of target gcp share: the settings, Google's APIs, and what was asked already."""

from __future__ import annotations

import time
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING

import requests

from taxistack.google import Api, GoogleApis, explain, services
from taxistack.google.credentials import within
from taxistack.settings import Settings

if TYPE_CHECKING:
    from taxistack.targets.gcp import GcpTarget

SECONDS = 8.0  # until Google's silence counts as no network
ONE_CALL = 5.0


class Surroundings:
    """One operator, one machine and one project; each thing is asked for once."""

    def __init__(self, target: GcpTarget) -> None:
        """`target`: nothing is contacted yet."""
        self.target = target
        self.settings: Settings = target.settings

    @property
    def google(self) -> GoogleApis:
        """Google's APIs with the operator's credentials."""
        return self.target.google

    @property
    def project(self) -> str:
        """The project's id."""
        return self.settings.project

    @cached_property
    def google_date(self) -> tuple[datetime | None, float]:
        """Google's clock, and this machine's at that moment (seconds since 1970).

        Any answer has it (header `Date`), also one that refuses: no credentials are needed.
        Raises NoNetworkError when nothing answers within `SECONDS`.
        """
        answer = within(SECONDS, self._ask)
        date = answer.headers.get("Date")
        return (parsedate_to_datetime(date) if date else None), time.time()

    @staticmethod
    def _ask() -> requests.Response:
        address = Api.OAUTH.url("tokeninfo")
        try:
            return requests.get(address, timeout=ONE_CALL, allow_redirects=False)
        except requests.RequestException as error:
            raise explain(error, "asking Google") or error from error

    @cached_property
    def enabled(self) -> set[str]:
        """The APIs that are on in the project. Raises MissingError when it does not exist."""
        return services.enabled(self.google, self.project)

    @cached_property
    def member(self) -> str:
        """Whose the credentials are, as IAM writes a member; empty when Google does not say."""
        credentials = self.google.credentials
        email = getattr(credentials, "service_account_email", None)
        if email and email != "default":
            return f"serviceAccount:{email}"
        said = requests.post(
            Api.OAUTH.url("tokeninfo"),
            data={"access_token": credentials.token},  # in the body: addresses end up in logs
            timeout=ONE_CALL,
        )
        email = said.json().get("email", "") if said.ok else ""
        kind = "serviceAccount" if email.endswith(".gserviceaccount.com") else "user"
        return f"{kind}:{email}" if email else ""
