"""Step reconcile: fails unless source, lake, ledger and table say the same of the month."""

from __future__ import annotations

from typing import Any

from taxi_etl import download, google_clients, lake
from taxi_etl.compare import Evidence, TableMonth, compare
from taxi_etl.destinations import Destination
from taxi_etl.errors import EtlError, NotEqual
from taxi_etl.facts import Facts
from taxi_etl.month import Month
from taxi_etl.schema import Taxi
from taxi_etl.site import Site


def reconcile(
    destination: Destination[Any], taxi: Taxi, month: Month, facts: Facts
) -> dict[str, object]:
    """Compare everything that is known of the month.

    The source is asked again; when it does not answer, that part is left out and said so.
    Raises NotEqual with every difference in one line.
    """
    remote, asked = None, False
    try:
        with Site() as http:
            remote = download.ask_of(http, facts.url, facts)
        asked = True
    except EtlError as error:
        print(f"the source was not compared: {error}")  # noqa: T201
    stored = lake.find(google_clients.storage_client(), facts.bucket, facts.object_name)
    with destination.explaining(f"{taxi.table}, month {month}"), destination.connect() as session:
        entries = destination.entries(session, month, month)
        entry = next((entry for entry in entries if entry.taxi == taxi.name), None)
        table = destination.months(session, taxi, month, month).get(month)
    evidence = Evidence(
        facts, entry, table, stored, remote, source_url=facts.url if asked else None
    )
    if differences := compare(evidence):
        raise NotEqual("; ".join(map(str, differences)))
    table = table or TableMonth()
    return {
        "rows": table.rows,
        "total_amount": str(facts.total_amount),
        "null_pickups": table.null_pickups,
        "strays": table.strays,
        "source_compared": asked,
    }
