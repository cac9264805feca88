"""BigQuery: a lake object into a staging table, from there into the month.

The load job (free) makes a staging table of text columns; one script then replaces the month
and writes the ledger in one transaction. Transactions on the same table cancel each other, so
parallel months try again after a random wait.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import tenacity
from google.api_core import exceptions as api
from google.cloud import bigquery
from requests.exceptions import RequestException

from taxi_etl import google_clients, lake
from taxi_etl.compare import TableMonth
from taxi_etl.destinations import Destination, Order, bigquery_jobs, bigquery_sql
from taxi_etl.destinations.bigquery_jobs import finish, submitted
from taxi_etl.destinations.bigquery_sql import Place
from taxi_etl.errors import Busy, LoadFailed, WrongUse
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxi_etl.schema import Taxi

TRIES = 8
"""How often the publishing transaction is tried when others change the same table."""


@dataclass(frozen=True)
class Warehouse:
    """A session: a client and the datasets that it works in."""

    client: bigquery.Client
    place: Place


class BigQuery:
    """See `Destination`; a session is a `Warehouse`."""

    title = "BigQuery"
    types = bigquery_sql.TYPES

    @contextmanager
    def connect(self) -> Iterator[Warehouse]:
        """A client of the project and datasets that the environment names."""
        place = place_of_environment()
        yield Warehouse(google_clients.bigquery_client(place.project, place.location), place)

    def explaining(self, what: str) -> AbstractContextManager[None]:
        """Turn the library's errors into ours."""
        return bigquery_jobs.explaining(what)

    def create(self, session: Warehouse) -> None:
        """Make what is missing, table by table."""
        place, client = session.place, session.client
        present = {
            table.table_id for table in client.list_tables(f"{place.project}.{place.dataset}")
        }
        for name, statement in bigquery_sql.create_tables(place).items():
            if name not in present:
                _create(client, statement)

    def replace(self, session: Warehouse, order: Order) -> str:
        """Stage the month, then publish it.

        The ids of the jobs follow from execution and attempt: a step that is started again
        adopts its own jobs and never another execution's.
        """
        names = _Names(order)
        place = session.place
        if not place.staging_dataset:
            raise WrongUse(
                "STAGING_DATASET is not set: the dataset of tables that last for one load"
            )
        staging = f"{place.project}.{place.staging_dataset}.{names.staging}"
        try:
            _stage(session.client, order, staging, names.load_job)
            return _publish(session, order, staging, names)
        finally:
            with suppress(api.GoogleAPICallError, RequestException):  # else it expires
                session.client.delete_table(staging, not_found_ok=True)

    def months(
        self,
        session: Warehouse,
        taxi: Taxi,
        first: Month,
        last: Month,
        *,
        duplicates: bool = False,
    ) -> dict[Month, TableMonth]:
        """One query, filtered on the partitioning column."""
        place = session.place
        query = bigquery_sql.month_facts(place, taxi, first, last, duplicates=duplicates)
        return {Month.of(day): TableMonth.read(*row) for day, *row in _query(session, query)}

    def entries(self, session: Warehouse, first: Month, last: Month) -> list[Entry]:
        """One query of the view."""
        query = bigquery_sql.ledger_rows(session.place, first, last)
        return [Entry.read(row) for row in _query(session, query)]

    def record(self, session: Warehouse, entry: Entry) -> None:
        """One row, by a job of its own."""
        statement = bigquery_sql.insert_ledger(session.place, entry.values())
        finish(_started(session, statement))


DESTINATION: Destination[Warehouse] = BigQuery()


# These names become part of SQL text and of addresses, so each is held to its service's rules.
_RULES = {
    "GOOGLE_CLOUD_PROJECT": (r"[a-z][a-z0-9.:-]{2,61}[a-z0-9]", "not a project id"),
    "DATASET": (r"\w{1,1024}", "a dataset has letters, digits and _ only"),
    "STAGING_DATASET": (r"(\w{1,1024})?", "a dataset has letters, digits and _ only"),
    "LOCATION": (r"[\w-]*", "not a location, for example EU"),
    "MAXIMUM_BYTES": (r"([1-9]\d*)?", "not a whole number above 0"),
}


def place_of_environment() -> Place:
    """The place that the environment names. Raises WrongUse with the variable and its rule."""
    given = {}
    for name, (pattern, rule) in _RULES.items():
        given[name] = value = os.environ.get(name, "")
        if not re.fullmatch(pattern, value, re.ASCII):
            raise WrongUse(f"{name} is {value!r}: {rule}" if value else f"{name} is not set")
    return Place(
        project=given["GOOGLE_CLOUD_PROJECT"],
        dataset=given["DATASET"],
        staging_dataset=given["STAGING_DATASET"],
        location=given["LOCATION"] or None,
        maximum_bytes_billed=int(given["MAXIMUM_BYTES"] or 0) or None,
    )


class _Names:
    """Names of what one attempt of one execution makes."""

    def __init__(self, order: Order) -> None:
        stem = (
            f"{order.taxi.name}_{order.month}_{order.facts.sha256[:12]}_{order.execution_id}_"
            f"{order.attempt}"
        )
        self.load_job = f"load_{stem}"
        self._publish_job = f"publish_{stem}"
        self.staging = f"load_{stem}".replace("-", "_")

    def publish_job(self, number: int) -> str:
        """The id of the numbered try: an id can be used once, also when its job failed."""
        return f"{self._publish_job}_{number}"


def _capped(place: Place) -> bigquery.QueryJobConfig:
    return bigquery.QueryJobConfig(maximum_bytes_billed=place.maximum_bytes_billed)


def _started(session: Warehouse, statement: str) -> bigquery.QueryJob:
    place = session.place
    return session.client.query(statement, job_config=_capped(place), location=place.location)


def _query(session: Warehouse, statement: str) -> list[tuple[Any, ...]]:
    try:
        return [row.values() for row in _started(session, statement).result()]
    except api.NotFound:
        return []


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(Busy),
    stop=tenacity.stop_after_attempt(TRIES),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)
def _create(client: bigquery.Client, statement: str) -> None:
    # IF NOT EXISTS is asked again when another process made the table at the same moment
    with suppress(api.Conflict):
        finish(client.query(statement, job_id=f"create_{uuid.uuid4().hex}", job_retry=None))


def _stage(client: bigquery.Client, order: Order, staging: str, job_id: str) -> None:
    """Load the lake object, as text, into a table of this attempt's own; all of it, and no other.

    A load job takes an address without a generation, so the object is looked at afterwards.
    """
    facts = order.facts
    config = bigquery.LoadJobConfig(
        schema=[bigquery.SchemaField(column.name, "STRING") for column in order.taxi.columns],
        source_format=bigquery.SourceFormat.CSV,
        skip_leading_rows=1,
        quote_character="",
        allow_jagged_rows=False,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
    )
    job = submitted(
        client,
        job_id,
        lambda: client.load_table_from_uri(facts.object, staging, job_id=job_id, job_config=config),
    )
    finish(job)
    lake.require(google_clients.storage_client(), facts.bucket, facts.object_name, facts.generation)
    if job.output_rows != facts.rows:
        raise LoadFailed(f"{job.output_rows} rows were staged, the file has {facts.rows}")


def _publish(session: Warehouse, order: Order, staging: str, names: _Names) -> str:
    """Run the replacing transaction until it is not cancelled by another. Returns its job's id."""
    client, place = session.client, session.place

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(Busy),
        stop=tenacity.stop_after_attempt(TRIES),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=30),
        reraise=True,
    )
    def attempt() -> str:
        job_id = names.publish_job(attempt.statistics["attempt_number"])
        entry = Entry.new(
            order.taxi.name, order.month, order.facts, job_id, order.execution_id, order.started
        )
        statement = bigquery_sql.replace_month(
            place, order.taxi, order.month, staging, order.facts.filename, entry.values()[:-1]
        )
        finish(
            submitted(
                client,
                job_id,
                lambda: client.query(
                    statement, job_id=job_id, job_config=_capped(place), job_retry=None
                ),
            )
        )
        return job_id

    return attempt()
