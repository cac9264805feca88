"""One read of a destination: rows as dictionaries, and the two drivers' errors as ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import psycopg
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import bigquery
from psycopg import sql
from psycopg.rows import dict_row

from taxistack.backfill.context import BackfillContext
from taxistack.errors import FailedError


def bigquery_rows(
    context: BackfillContext,
    statement: str,
    what: str,
    parameters: Sequence[bigquery.ScalarQueryParameter] = (),
) -> list[dict[str, Any]]:
    """The rows of a GoogleSQL statement; none when its table does not exist yet.

    `what`: the thing that is read, for the message. The stack's cap on billed bytes applies.
    Raises FailedError when BigQuery refuses.
    """
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    if context.maximum_bytes_billed:
        config.maximum_bytes_billed = context.maximum_bytes_billed
    try:
        job = context.bigquery().query(
            statement, job_config=config, location=context.outputs.location
        )
        return [dict(row) for row in job.result()]
    except NotFound:
        return []
    except GoogleAPICallError as error:
        raise FailedError(f"{what} can't be read: {error.message}") from error


def postgres_rows(
    context: BackfillContext, statement: sql.Composed | bytes, what: str, months: tuple[date, date]
) -> list[dict[str, Any]]:
    """The rows of a PostgreSQL statement between two months; none when its table does not exist.

    `what`: the thing that is read, for the message. Raises FailedError when PostgreSQL refuses.
    """
    try:
        with context.postgres() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, months).fetchall()
    except psycopg.errors.UndefinedTable:
        return []
    except psycopg.Error as error:
        raise FailedError(f"{what} can't be read: {error}") from error
