"""Jobs of BigQuery: started once, waited for, their errors in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud import bigquery
from requests.exceptions import RequestException

from taxi_etl.errors import Busy, LoadFailed, Transient

_Job = TypeVar("_Job", bigquery.LoadJob, bigquery.QueryJob)
_CONFLICT = re.compile(r"concurrent|could not serialize|conflict", re.IGNORECASE)
_PASSING = {"backendError", "internalError", "jobRateLimitExceeded", "rateLimitExceeded"}
_JOB_TIMEOUT = 3600  # seconds


def submitted(client: bigquery.Client, job_id: str, submit: Callable[[], _Job]) -> _Job:
    """The job that `submit` starts, or the one that has been started under this id before."""
    try:
        return submit()
    except api.Conflict:
        print(f"adopted the job {job_id}")  # noqa: T201
        return cast("_Job", client.get_job(job_id))  # an id is of one submit, so of one kind


def finish(job: _Job) -> None:
    """Wait for the job. Raises Busy when trying again may succeed, else the library's error."""
    try:
        job.result(timeout=_JOB_TIMEOUT)
    except api.GoogleAPICallError as error:
        reasons = {entry.get("reason") for entry in error.errors or () if isinstance(entry, dict)}
        if reasons & _PASSING or _CONFLICT.search(str(error)):
            raise Busy(_first_line(error)) from error
        raise


@contextmanager
def explaining(what: str) -> Iterator[None]:
    """The library's errors within it become ours, which name `what`."""
    unchanged = "the table is as it was"
    try:
        yield
    except Busy as error:
        why = "others change the same table, " if _CONFLICT.search(str(error)) else ""
        raise Busy(f"{what}: gave up, {why}{unchanged}: {error}") from error
    except (api.TooManyRequests, api.ServerError, api.RetryError, RequestException) as error:
        raise Transient(f"{what}: BigQuery did not answer: {_first_line(error)}") from error
    except TimeoutError as error:
        raise Transient(f"{what}: the job was not done after {_JOB_TIMEOUT} s") from error
    except (api.GoogleAPICallError, auth.GoogleAuthError) as error:
        raise LoadFailed(f"{what}: BigQuery refused, {unchanged}: {_first_line(error)}") from error
    except LoadFailed as error:
        raise LoadFailed(f"{what}: {error}, {unchanged}") from error


def _first_line(error: Exception) -> str:
    return (getattr(error, "message", "") or str(error)).strip().split("\n")[0]
