"""Step load, BigQuery: a lake object into a staging table, from there into the month.

The load job (free) makes a staging table of text columns; one script then replaces the month
and writes the ledger in one transaction. Transactions on the same table cancel each other, so
parallel months try again after a random wait.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime

import tenacity
from google.api_core import exceptions as api
from google.cloud import bigquery
from requests.exceptions import RequestException

from taxi_etl import bigquery_sql, google_clients, lake, ledger
from taxi_etl.bigquery_jobs import finish, submitted, told
from taxi_etl.bigquery_sql import Target
from taxi_etl.errors import Busy, LoadFailed
from taxi_etl.facts import Facts
from taxi_etl.loaded import Loaded
from taxi_etl.month import Month
from taxi_etl.schema import Taxi

TRIES = 8
"""How often the publishing transaction is tried when others change the same table."""


def load(
    taxi: Taxi, month: Month, facts: Facts, *, target: Target, execution_id: str, attempt: int
) -> Loaded:
    """Replace that month in the taxi's table by the lake object of `facts`.

    The ids of the jobs follow from execution and attempt: a step that is started again adopts
    its own jobs and never another execution's. Raises LakeConflict when the lake does not hold
    that object any more, LoadFailed, Busy or Transient; the table is then as it was.
    """
    started = datetime.now(UTC)
    names = _Names(taxi, month, facts, execution_id, attempt)
    staging = f"{target.project}.{target.staging_dataset}.{names.staging}"
    with told(f"{target.dataset}.{taxi.table}, month {month}"):
        client = google_clients.bigquery_client(target.project, target.location)
        create_tables(client, target)
        try:
            _stage(client, taxi, facts, staging, names.load_job)
            job = _publish(
                client, taxi, month, facts, target, staging, names, started, execution_id
            )
        finally:
            with suppress(api.GoogleAPICallError, RequestException):  # else it expires
                client.delete_table(staging, not_found_ok=True)
    return Loaded(facts.rows, facts.total_amount, job, started, datetime.now(UTC))


class _Names:
    """Names of what one attempt of one execution makes."""

    def __init__(
        self, taxi: Taxi, month: Month, facts: Facts, execution_id: str, attempt: int
    ) -> None:
        stem = f"{taxi.name}_{month}_{facts.sha256[:12]}_{execution_id}_{attempt}"
        self.load_job = f"load_{stem}"
        self._publish_job = f"publish_{stem}"
        self.staging = f"load_{stem}".replace("-", "_")

    def publish_job(self, number: int) -> str:
        """The id of the numbered try: an id can be used once, also when its job failed."""
        return f"{self._publish_job}_{number}"


def create_tables(client: bigquery.Client, target: Target) -> None:
    """Make the tables, the ledger and the view where they are missing."""
    present = {table.table_id for table in client.list_tables(f"{target.project}.{target.dataset}")}
    for name, statement in bigquery_sql.create_tables(target).items():
        if name not in present:
            _create(client, statement)


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


def _stage(client: bigquery.Client, taxi: Taxi, facts: Facts, staging: str, job_id: str) -> None:
    """Load the lake object, as text, into a table of this attempt's own; all of it, and no other.

    A load job takes an address without a generation, so the object is looked at afterwards.
    """
    config = bigquery.LoadJobConfig(
        schema=[bigquery.SchemaField(column.name, "STRING") for column in taxi.columns],
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


def _publish(
    client: bigquery.Client,
    taxi: Taxi,
    month: Month,
    facts: Facts,
    target: Target,
    staging: str,
    names: _Names,
    started: datetime,
    execution_id: str,
) -> str:
    """Run the replacing transaction until it is not cancelled by another. Returns its job's id."""

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(Busy),
        stop=tenacity.stop_after_attempt(TRIES),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=30),
        reraise=True,
    )
    def attempt() -> str:
        job_id = names.publish_job(attempt.statistics["attempt_number"])
        entry = ledger.values(taxi, month, facts, job_id, execution_id, started)
        statement = bigquery_sql.replace_month(target, taxi, month, staging, facts.filename, entry)
        config = bigquery.QueryJobConfig(maximum_bytes_billed=target.maximum_bytes_billed)
        finish(
            submitted(
                client,
                job_id,
                lambda: client.query(statement, job_id=job_id, job_config=config, job_retry=None),
            )
        )
        return job_id

    return attempt()
