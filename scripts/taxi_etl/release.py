"""Names of the month files, on the release site and in the lake."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from taxi_etl.errors import WrongUse
from taxi_etl.month import Month


def file_name(taxi: str, month: Month) -> str:
    """The file's name, the same on the release site, in the lake and in the tables."""
    return f"{taxi}_tripdata_{month}.csv.gz"


def url(base: str, taxi: str, month: Month) -> str:
    """Where the release site below `base` has the file. Raises WrongUse for a bad base."""
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise WrongUse(f"the source {shown(base)!r} is not an http or https address")
    return f"{base.rstrip('/')}/{taxi}/{file_name(taxi, month)}"


def shown(address: str) -> str:
    """The address without user, password and query: what may stand in a log or a table."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def object_name(taxi: str, month: Month) -> str:
    """The object that holds the file in the lake's bucket."""
    return f"raw/{taxi}/{file_name(taxi, month)}"
