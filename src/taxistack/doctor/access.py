"""Whether Google answers, believes this machine's clock, and accepts its credentials."""

from __future__ import annotations

import sys

from taxistack.doctor.check import Check, Found
from taxistack.doctor.surroundings import Surroundings
from taxistack.google import CredentialsError, NoNetworkError

SKEW = 60.0  # seconds; tokens live an hour, and signed requests are refused after minutes
LOGIN = "gcloud auth application-default login"


def network(here: Surroundings) -> Check:
    """Any answer of Google's will do."""
    try:
        _ = here.google_date
    except NoNetworkError as error:
        return Check("network", Found.WRONG, error.message, "Google answers", error.hint or "")
    return Check("network", Found.OK, "Google answers")


def clock(here: Surroundings) -> Check:
    """This machine's clock beside Google's."""
    date, now = here.google_date
    if date is None:
        return Check(
            "clock", Found.UNKNOWN, "the answer has no date", "a date", "is there a proxy?"
        )
    apart = now - date.timestamp()
    direction = "ahead of" if apart > 0 else "behind"
    return Check.of(
        "clock",
        abs(apart) <= SKEW,
        f"{abs(apart):.0f} s {direction} Google's",
        f"at most {SKEW:.0f} s: tokens of another time are refused",
        "sudo sntp -sS time.google.com"
        if sys.platform == "darwin"
        else "sudo timedatectl set-ntp true (in WSL: wsl --shutdown, then start it again)",
    )


def credentials(here: Surroundings) -> Check:
    """Found, accepted, and whose they are."""
    try:
        here.google.check()
    except CredentialsError as error:
        return Check("credentials", Found.WRONG, error.message, "a login", error.hint or LOGIN)
    whose = here.member.partition(":")[2] or "Google does not say whose"
    return Check("credentials", Found.OK, f"{_kind(here)} of {whose}")


def _kind(here: Surroundings) -> str:
    module = type(here.google.credentials).__module__
    kinds = {
        "google.oauth2.credentials": "user login",
        "google.oauth2.service_account": "key file",
        "google.auth.compute_engine.credentials": "metadata server",
        "google.auth.identity_pool": "workload identity",
        "google.auth.impersonated_credentials": "impersonation",
    }
    return kinds.get(module, "credentials")


def quota_project(here: Surroundings) -> Check:
    """A user's login names the project that calls are counted in; other kinds have their own.

    Without one, Secret Manager, Resource Manager and others refuse every call of a user's, or
    count it in a project of gcloud's own, in which they are off.
    """
    credentials = here.google.credentials
    if type(credentials).__module__ != "google.oauth2.credentials":
        return Check("quota project", Found.OK, "goes with the account")
    named = getattr(credentials, "quota_project_id", None)
    return Check.of(
        "quota project",
        bool(named),
        named or "none",
        "a project in which a user's calls are counted",
        f"gcloud auth application-default set-quota-project {here.project}",
    )
