"""Refusals that pass by themselves: Google tells its own parts of news with a delay of minutes.

An API that was enabled a moment ago is still off for some of Google's servers; a service account
that was made a moment ago is not known yet to BigQuery's policies and to the project's. The
Terraform provider tries neither again.
"""

from __future__ import annotations

import re

# Why, in words -> what the refusals of that kind have in common.
_PASSING = {
    "an API that was just enabled is not on everywhere yet": re.compile(
        r"Error 403: .*(SERVICE_DISABLED|accessNotConfigured|has not been used in project)",
        re.DOTALL,
    ),
    "a new service account is not known everywhere yet": re.compile(
        r"Error 400: .*[Ss]ervice account \S+ does not exist", re.DOTALL
    ),
}


def reason_to_wait(error: str) -> str | None:
    """Why this error of the provider's passes within minutes; None when it does not.

    `error`: summary and detail of one of Terraform's diagnostics.
    """
    return next((why for why, pattern in _PASSING.items() if pattern.search(error)), None)
