"""Clients for Cloud Storage and BigQuery: the real services, or the emulators that are named.

The libraries read STORAGE_EMULATOR_HOST and BIGQUERY_EMULATOR_HOST themselves; here an empty
variable counts as not set, and an emulator is spoken to without credentials.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.cloud import bigquery, storage


def _emulated(variable: str) -> bool:
    if os.environ.get(variable, "").strip():
        return True
    os.environ.pop(variable, None)
    return False


def storage_client(project: str | None = None) -> storage.Client:
    """A client of Cloud Storage; credentials are those of the machine (ADC)."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    if _emulated("STORAGE_EMULATOR_HOST"):
        return storage.Client(project=project or "local", credentials=AnonymousCredentials())
    return storage.Client(project=project)


def bigquery_client(project: str, location: str | None = None) -> bigquery.Client:
    """A client of BigQuery whose jobs run in `location`."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    if _emulated("BIGQUERY_EMULATOR_HOST"):
        credentials = AnonymousCredentials()
        return bigquery.Client(project=project, location=location, credentials=credentials)
    return bigquery.Client(project=project, location=location)
