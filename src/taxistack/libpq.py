"""How PostgreSQL's own programs are told of a server: libpq's variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taxi_etl import surroundings


def environment(address: Mapping[str, Any], password: str) -> dict[str, str]:
    """The variables for an address (host, port, dbname, user), and the one way to log in."""
    return {
        "PGHOST": str(address["host"]),
        "PGPORT": str(address["port"]),
        "PGDATABASE": str(address["dbname"]),
        "PGUSER": str(address["user"]),
        "PGPASSWORD": password,
        "PGREQUIREAUTH": surroundings.LOGIN,
    }
