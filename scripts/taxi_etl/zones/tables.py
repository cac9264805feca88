"""The table of zones in each destination: replaced as a whole, read back as a whole."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from taxi_etl import zones
from taxi_etl.zones import Zone

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

    from taxi_etl.destinations.bigquery import Warehouse

_LOCK = zlib.crc32(b"taxi_etl zones")
_NAMES = [column.name for column in zones.COLUMNS]


def replace(destination: str, session: Any, content: Iterable[Zone], uri: str) -> None:
    """Make the table hold exactly these zones, which the lake has at `uri`.

    Raises the library's errors.
    """
    _REPLACE[destination](session, list(content), uri)


def read(destination: str, session: Any) -> tuple[Zone, ...] | None:
    """Every row of the table, in no order; None without a table. Raises the library's errors."""
    return _READ[destination](session)


def _bigquery_table(session: Warehouse) -> str:
    return f"{session.place.project}.{session.place.dataset}.{zones.TABLE}"


def _replace_bigquery(session: Warehouse, content: list[Zone], uri: str) -> None:
    """By a load job that truncates: readers see the old rows or the new ones.

    It reads the lake's object of that moment; that it is `content` shows when it is read back.
    """
    from google.cloud import bigquery

    from taxi_etl.destinations.bigquery_jobs import finish

    config = bigquery.LoadJobConfig(
        schema=[bigquery.SchemaField(name, "STRING", mode="REQUIRED") for name in _NAMES],
        source_format=bigquery.SourceFormat.CSV,
        skip_leading_rows=1,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
    )
    table, location = _bigquery_table(session), session.place.location
    finish(session.client.load_table_from_uri(uri, table, job_config=config, location=location))


def _read_bigquery(session: Warehouse) -> tuple[Zone, ...] | None:
    """Not by a query, which is billed 10 MB at least: listing rows is free."""
    from google.api_core.exceptions import NotFound

    try:
        table = session.client.get_table(_bigquery_table(session))
    except NotFound:
        return None
    return tuple(Zone(*(row[name] for name in _NAMES)) for row in session.client.list_rows(table))


def _replace_postgres(session: psycopg.Connection[Any], content: list[Zone], uri: str) -> None:
    """In one transaction; readers are not hindered, a second load waits for the first."""
    from psycopg import sql

    table, listed = _postgres_names()
    create = sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(
        table,
        sql.SQL(", ").join(sql.SQL("{} text NOT NULL").format(name) for name in listed),
        listed[0],
    )
    copy = sql.SQL("COPY {} ({}) FROM STDIN").format(table, sql.SQL(", ").join(listed))
    with session.transaction():
        session.execute("SET LOCAL client_min_messages = warning")  # it may be there already
        session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        session.execute(create)
        session.execute(sql.SQL("DELETE FROM {}").format(table))
        with session.cursor() as cursor, cursor.copy(copy) as rows:
            for zone in content:
                rows.write_row(zone.values())


def _read_postgres(session: psycopg.Connection[Any]) -> tuple[Zone, ...] | None:
    from psycopg import errors, sql

    table, listed = _postgres_names()
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(listed), table)
    try:
        with session.transaction():  # else a missing table would end the caller's
            return tuple(Zone(*row) for row in session.execute(query))
    except errors.UndefinedTable:
        return None


def _postgres_names() -> tuple[sql.Identifier, list[sql.Identifier]]:
    from taxi_etl.destinations import postgres_sql

    return postgres_sql.name(zones.TABLE), [postgres_sql.column(column) for column in zones.COLUMNS]


_REPLACE: Mapping[str, Callable[[Any, list[Zone], str], None]] = {
    "bigquery": _replace_bigquery,
    "postgres": _replace_postgres,
}
_READ: Mapping[str, Callable[[Any], tuple[Zone, ...] | None]] = {
    "bigquery": _read_bigquery,
    "postgres": _read_postgres,
}
