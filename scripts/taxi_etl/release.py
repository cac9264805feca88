"""Names of the month files, on the release site and in the lake."""

from __future__ import annotations

import re
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
    """Whether month files can be below this address. Raises WrongUse with the rule it breaks."""
    if rule := broken_rule(base):
        raise WrongUse(f"the source {shown(base)}: {rule}")


def broken_rule(base: str) -> str | None:
    """The rule of base addresses that this one breaks; None for one that can be asked.

    The address stands in Kestra's settings, in the ledger and in every log, so it can't hold a
    password or a signature; and `<taxi>/<file>` is put after it, where neither would work.
    """
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError as error:
        return f"not an address that can be asked: {error}"
    if parts.scheme not in ("http", "https"):
        return "an address begins with http:// or https://"
    if "@" in parts.netloc:
        return (
            "an address must not carry a user or a password: it is kept where anybody may read it "
            "(KV pairs, the ledger, process lists)"
        )
    if not parts.hostname:
        return "the address has no host"
    if port == 0:
        return "no server listens at port 0"
    if re.search(r"[\s\\]", base):
        return "an address has no blanks and no backslashes in it"
    # A client writes these another way than they stand: the ledger would name another address.
    if re.search(r"/\.\.?(/|$)|%(?![0-9A-Fa-f]{2})", parts.path):
        return "the address's path has no `..` and no half `%` in it"
    if mark := re.search(r"[?#]", base):
        return (
            f"a base address ends before `{mark[0]}`: /<taxi>/<file> is put behind it, and a query "
            "(a signature, say) is good for one address only"
        )
    return None


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
