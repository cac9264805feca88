"""Step reconcile: fails unless source, lake, ledger and table say the same of the month."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxi_etl import download, google_clients, lake
from taxi_etl.compare import LAKE, LEDGER, SOURCE, TABLE, Evidence, TableMonth, compare
from taxi_etl.errors import EtlError, NotEqual
from taxi_etl.facts import Facts
from taxi_etl.month import Month
from taxi_etl.schema import Taxi

if TYPE_CHECKING:
    from taxi_etl.bigquery_sql import Target
    from taxi_etl.ledger import Entry


def reconcile(taxi: Taxi, month: Month, facts: Facts, target: Target | None) -> dict[str, object]:
    """Compare everything that is known of the month; `target` None means PostgreSQL.

    The source is asked again; when it does not answer, that part is left out and said so.
    Raises NotEqual with every difference in one line.
    """
    asked = {LAKE, LEDGER, TABLE}
    remote = None
    try:
        with download.client() as http:
            remote = download.head(http, facts.url)
        asked.add(SOURCE)
    except EtlError as error:
        print(f"the source was not compared: {error}")  # noqa: T201
    stored = lake.find(google_clients.storage_client(), facts.bucket, facts.object_name)
    entry, table = _postgres(taxi, month) if target is None else _bigquery(taxi, month, target)
    differences = compare(Evidence(facts, entry, table, stored, remote, frozenset(asked)))
    if differences:
        raise NotEqual("; ".join(map(str, differences)))
    return {
        "rows": table.rows,
        "total_amount": str(facts.total_amount),
        "null_pickups": table.null_pickups,
        "strays": table.strays,
        "source_compared": SOURCE in asked,
    }


def _postgres(taxi: Taxi, month: Month) -> tuple[Entry | None, TableMonth]:
    from taxi_etl import postgres_read
    from taxi_etl.postgres_session import connect, told

    with told(f"{taxi.table}, month {month}"), connect() as connection:
        entry = postgres_read.ledger_entries(connection, taxi, [month]).get(month)
        table = postgres_read.table_months(connection, taxi, [month]).get(month, TableMonth())
    return entry, table


def _bigquery(taxi: Taxi, month: Month, target: Target) -> tuple[Entry | None, TableMonth]:
    from taxi_etl import bigquery_read
    from taxi_etl.bigquery_jobs import told

    with told(f"{target.dataset}.{taxi.table}, month {month}"):
        client = google_clients.bigquery_client(target.project, target.location)
        entry = bigquery_read.ledger_entries(client, target, taxi, [month]).get(month)
        table = bigquery_read.table_months(client, target, taxi, [month]).get(month, TableMonth())
    return entry, table
