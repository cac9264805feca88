"""Names of the month files, on the release site and in the lake."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit

from taxi_etl.errors import WrongUse
from taxi_etl.month import Month


def file_name(taxi: str, month: Month) -> str:
    """The file's name, the same on the release site, in the lake and in the tables."""
    return f"{taxi}_tripdata_{month}.csv.gz"


def url(base: str, taxi: str, month: Month) -> str:
    """Where the release site below `base` has the file. Raises WrongUse for a bad base."""
    check_base(base)
    return f"{base.rstrip('/')}/{taxi}/{file_name(taxi, month)}"


def check_base(base: str) -> None:
    """Whether month files can be below this address. Raises WrongUse with the rule it breaks.

    The address stands in Kestra's settings, in the ledger and in every log, so it can't hold a
    password or a signature; and `<taxi>/<file>` is put after it, where neither would work.
    """
    parts = _split(base)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongUse(f"the source {shown(base)!r} is not an http or https address")
    if "@" in parts.netloc:
        raise WrongUse(
            f"the source {shown(base)!r} has a user or a password in it: the address is kept in "
            "settings, logs and the ledger. Serve the files where no password is asked for"
        )
    if parts.query or parts.fragment or base.rstrip() != base:
        raise WrongUse(
            f"the source {shown(base)!r} has a query, a fragment or a blank after it: "
            "<taxi>/<file> is put after the address, so a signed one can't work"
        )


def _split(address: str) -> SplitResult | None:
    """The parts of the address, None when it has none (a bracket alone, a port of 99999)."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts


def shown(address: str) -> str:
    """The address without user, password and query: what may stand in a log or a table."""
    parts = _split(address)
    if parts is None:
        return address.partition("?")[0].rpartition("@")[2]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def object_name(taxi: str, month: Month) -> str:
    """The object that holds the file in the lake's bucket."""
    return f"raw/{taxi}/{file_name(taxi, month)}"
