"""What of the user's environment must not change an answer, in one place for every process.

`settle` is called first by the commands (whose parts and children inherit it) and by each step.
A proxy is for the world outside: what listens on this machine is never asked through one, which
would hand the proxy Kestra's password. libpq reads some thirty variables of its own; a connection
of ours says all that it needs, so that PGSSLMODE or PGOPTIONS of other work don't change it.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EMULATORS = ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST")
POSTGRES = frozenset({"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"})
"""The variables by which a step is told of its database."""
LOGIN = "scram-sha-256"
"""The one way in which a password is shown to a PostgreSQL server (libpq's `require_auth`).

It proves that we know it and tells nothing of it, and the server has to prove the same. libpq by
itself would hand it in clear text to whatever answers at the port and asks for it so."""

# Else the storage library asks for the bucket with each transfer, in another thread and over
# another connection: for OpenTelemetry, which is not there, and mostly without the right to.
_NO_BUCKET_LOOKUP = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"


def settle(environ: MutableMapping[str, str], keep: Collection[str] = ()) -> None:
    """Take out of `environ` what is none of ours.

    `keep`: libpq's variables that this process is configured by.
    """
    for name in [
        variable for variable in environ if variable.startswith("PG") and variable not in keep
    ]:
        del environ[name]
    environ[_NO_BUCKET_LOOKUP] = "true"
    ours = [*LOOPBACK, *filter(None, (_host(environ.get(name, "")) for name in EMULATORS))]
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in exempt.split(",") if host.strip()]
    # Both spellings: some libraries read the one and some the other.
    environ["no_proxy"] = environ["NO_PROXY"] = ",".join(dict.fromkeys([*hosts, *ours]))


def is_local(url: str) -> bool:
    """Whether an address is one of this machine."""
    host = urlsplit(url).hostname or ""
    return host in LOOPBACK or host.startswith("127.")


def _host(address: str) -> str:
    return urlsplit(address if "//" in address else f"//{address}").hostname or ""
