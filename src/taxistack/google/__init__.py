"""Everything that the kit asks of Google Cloud: addresses, credentials, calls, and their errors.

    apis = GoogleApis()          nothing is contacted yet
    apis.check()                 network and credentials, within 15 seconds; once a command
    apis.get(Api.COMPUTE, "projects/p/zones/z/instances/vm", doing="looking at the VM")
    apis.storage(project)        Google's own client, with the same credentials and address

Tests set the variables in `endpoints` and run the same code.
"""

from taxistack.google.apis import GoogleApis, explained
from taxistack.google.endpoints import EMULATORS, Api
from taxistack.google.errors import (
    ApiError,
    BusyError,
    CredentialsError,
    DisabledApiError,
    ForbiddenError,
    NoNetworkError,
    NotFoundError,
    explain,
)
from taxistack.google.patience import reason_to_wait

__all__ = [
    "EMULATORS",
    "Api",
    "ApiError",
    "BusyError",
    "CredentialsError",
    "DisabledApiError",
    "ForbiddenError",
    "GoogleApis",
    "NoNetworkError",
    "NotFoundError",
    "explain",
    "explained",
    "reason_to_wait",
]
