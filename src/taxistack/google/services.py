"""The APIs of a project: which the kit needs, which are on, and how they are switched on.

Sources: the REST reference of Service Usage v1 (`services.list`, `services.batchEnable`,
`operations.get`). A batch is switched on as a whole or not at all, and has 20 names at most.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator

from taxistack.errors import FailedError, MissingError
from taxistack.google.apis import GoogleApis
from taxistack.google.endpoints import Api
from taxistack.google.errors import ApiError, DisabledApiError, ForbiddenError, NotFoundError
from taxistack.settings import ROOT

_NAME = re.compile(r'^\s*"([a-z]+\.googleapis\.com)",$', re.MULTILINE)
BATCH = 20
SECONDS = 600.0  # until a service that was switched on counts as one that will not answer
PAUSE = 5.0  # seconds between two looks

# One cheap question for each API that the kit asks first thing after `setup`. The others are first
# asked by a VM's boot, by a tunnel or by CI, which come minutes later.
_QUESTIONS = {
    Api.BIGQUERY: "projects/{project}/datasets?maxResults=1",
    Api.BILLING: "projects/{project}/billingInfo",
    Api.COMPUTE: "projects/{project}",
    Api.IAM: "projects/{project}/serviceAccounts?pageSize=1",
    Api.LOGGING: "projects/{project}/metrics?pageSize=1",
    Api.MONITORING: "v3/projects/{project}/alertPolicies?pageSize=1",
    Api.RESOURCE_MANAGER: "projects/{project}",
    Api.SECRET_MANAGER: "projects/{project}/secrets?pageSize=1",
}


def needed(ci: bool = False) -> list[str]:
    """The APIs of a stack, as infra/ lists them, and Billing, which `doctor` asks.

    `ci`: those of the CI identity too.
    """
    files = ["infra/services.tf", *(["infra/bootstrap/ci.tf"] if ci else [])]
    names = {name for file in files for name in _NAME.findall((ROOT / file).read_text())}
    return sorted({*names, Api.BILLING.service})


def enabled(apis: GoogleApis, project: str) -> set[str]:
    """The APIs that are on. Raises MissingError when there is no such project for this caller."""
    try:
        pages = apis.pages(
            Api.SERVICE_USAGE,
            f"projects/{project}/services",
            doing=f"the APIs of project {project}",
            filter="state:ENABLED",
            pageSize="200",
        )
        return {service["config"]["name"] for page in pages for service in page.get("services", [])}
    except DisabledApiError as error:
        raise MissingError(
            error.message,
            hint=f"gcloud services enable {Api.SERVICE_USAGE.service} --project {project}",
        ) from error
    except (ForbiddenError, NotFoundError) as error:
        raise MissingError(
            f"project {project} does not exist, or these credentials may not see it: "
            f"{error.message}",
            hint="gcloud projects list shows those that you may see; "
            f"gcloud projects create {project} makes it",
        ) from error


def enable(
    apis: GoogleApis, project: str, names: Iterable[str], sleep: Callable[[float], None]
) -> None:
    """Switch APIs on, and wait until Google says that they are.

    Raises MissingError when the project has no billing account, FailedError when Google refuses.
    """
    todo = sorted(names)
    for at in range(0, len(todo), BATCH):
        try:
            begun = apis.call(
                "POST",
                Api.SERVICE_USAGE,
                f"projects/{project}/services:batchEnable",
                doing=f"enabling APIs of project {project}",
                json={"serviceIds": todo[at : at + BATCH]},
            )
        except ApiError as error:
            if "billing" in error.message.lower():
                raise no_billing(project) from error
            raise
        _wait_for(apis, begun, sleep)


def no_billing(project: str) -> MissingError:
    """The error of a project that nobody pays for."""
    return MissingError(
        f"project {project} has no billing account: Compute Engine can't be enabled",
        hint=f"gcloud billing accounts list, then gcloud billing projects link {project} "
        "--billing-account ACCOUNT_ID",
    )


def _wait_for(
    apis: GoogleApis, operation: dict[str, object], sleep: Callable[[float], None]
) -> None:
    give_up = time.monotonic() + SECONDS
    while not operation.get("done"):
        if time.monotonic() > give_up:
            raise FailedError(
                f"Google did not enable the APIs within {SECONDS:.0f} s",
                hint="run invoke setup again: it goes on",
            )
        sleep(PAUSE)
        name = str(operation["name"])
        operation = apis.get(Api.SERVICE_USAGE, name, doing="enabling APIs")
    if error := operation.get("error"):
        raise FailedError(f"enabling APIs: {error}", hint="run invoke setup again: it goes on")


def not_answering(apis: GoogleApis, project: str, names: Iterable[str]) -> Iterator[Api]:
    """Those of the APIs that still say that they are off, though they were switched on."""
    wanted = set(names)
    for api, question in _QUESTIONS.items():
        if api.service in wanted:
            path, _, query = question.format(project=project).partition("?")
            params = dict(pair.split("=") for pair in query.split("&") if pair)
            try:
                apis.get(api, path, doing=f"asking {api.title}", **params)
            except DisabledApiError:
                yield api
            except (ForbiddenError, ApiError):  # another refusal is an answer
                continue


def wait_until_they_answer(
    apis: GoogleApis,
    project: str,
    names: Iterable[str],
    say: Callable[[str], None],
    sleep: Callable[[float], None],
) -> None:
    """Wait for the APIs that were switched on: they are off for some minutes more.

    Raises FailedError when one does not answer within `SECONDS`.
    """
    give_up = time.monotonic() + SECONDS
    silent: list[Api] = []
    while waiting := list(not_answering(apis, project, names)):
        titles = ", ".join(api.title for api in waiting)
        if time.monotonic() > give_up:
            raise FailedError(
                f"{titles}: enabled, and still off after {SECONDS:.0f} s",
                hint="run invoke setup again: it goes on",
            )
        if waiting != silent:
            say(f"waiting for {titles}: an API answers some minutes after it was enabled")
            silent = waiting
        sleep(PAUSE)
