"""Connections to PostgreSQL, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg

from taxi_etl.errors import Busy, LoadFailed, Transient


def connect() -> psycopg.Connection:
    """A connection as libpq's own environment says (PGHOST, PGUSER, …), in autocommit mode."""
    return psycopg.connect("", autocommit=True, connect_timeout=10, application_name="taxi_etl")


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn psycopg's errors into ours; `what` says what was worked on."""
    unchanged = "the table is as it was"
    try:
        yield
    except (pg.LockNotAvailable, pg.DeadlockDetected) as error:
        raise Busy(f"{what}: somebody held the table too long, {unchanged}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Transient(f"{what}: PostgreSQL did not answer: {_line(error)}") from error
    except psycopg.Error as error:
        raise LoadFailed(f"{what}: PostgreSQL refused, {unchanged}: {_line(error)}") from error
    except LoadFailed as error:
        raise LoadFailed(f"{what}: {error}, {unchanged}") from error


def _line(error: psycopg.Error) -> str:
    """The message with the place in the file (COPY names line and column), in one line."""
    context = (error.diag.context or "") if error.diag else ""
    return " ".join(f"{error} {context if context not in str(error) else ''}".split())
