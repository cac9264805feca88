"""Clients for Cloud Storage and BigQuery: the real services, or the emulators that are named.

The libraries read STORAGE_EMULATOR_HOST and BIGQUERY_EMULATOR_HOST themselves; here an empty
variable counts as not set, and an emulator is spoken to without credentials.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from taxi_etl.errors import Terminal, without_key

if TYPE_CHECKING:
    from google.cloud import bigquery, storage


def _emulated(variable: str) -> bool:
    if os.environ.get(variable, "").strip():
        return True
    os.environ.pop(variable, None)
    return False


@contextmanager
def _explaining() -> Iterator[None]:
    from google.auth.exceptions import DefaultCredentialsError

    try:
        yield
    except DefaultCredentialsError as error:
        raise Terminal(
            "no Google credentials on this machine: `gcloud auth application-default login`, or "
            "run where a service account is attached"
        ) from error


class _TellsRetries(logging.Handler):
    """The libraries try again by themselves and tell their log alone: a step says so in its own."""

    def emit(self, record: logging.LogRecord) -> None:
        said = without_key(record.getMessage()).split("\n")[0]
        print(f"Google did not answer: {said[:300]}", file=sys.stderr)  # noqa: T201


def _tell_retries() -> None:
    log = logging.getLogger("google.api_core.retry")
    if not log.handlers:
        log.setLevel(logging.DEBUG)
        log.propagate = False
        log.addHandler(_TellsRetries())


def storage_client(project: str | None = None) -> storage.Client:
    """A client of Cloud Storage; credentials are those of the machine (ADC)."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    _tell_retries()
    if _emulated("STORAGE_EMULATOR_HOST"):
        return storage.Client(project=project or "local", credentials=AnonymousCredentials())
    with _explaining():
        return storage.Client(project=project)


def bigquery_client(project: str, location: str | None = None) -> bigquery.Client:
    """A client of BigQuery whose jobs run in `location`."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    _tell_retries()
    if _emulated("BIGQUERY_EMULATOR_HOST"):
        credentials = AnonymousCredentials()
        return bigquery.Client(project=project, location=location, credentials=credentials)
    with _explaining():
        return bigquery.Client(project=project, location=location)
