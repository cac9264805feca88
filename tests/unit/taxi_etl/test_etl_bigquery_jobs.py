"""What BigQuery answers and the emulator never does: a used job id, a cancelled transaction."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
import tenacity
from google.api_core import exceptions as api

from taxi_etl import google_clients, lake
from taxi_etl.destinations import Order, bigquery
from taxi_etl.destinations.bigquery import Place, Warehouse
from taxi_etl.destinations.bigquery_sql import create_tables
from taxi_etl.errors import Busy, LakeConflict, LoadFailed, Transient
from taxi_etl.facts import Facts
from taxi_etl.lake import LakeObject
from taxi_etl.load import load as load_month
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CANCELLED = api.BadRequest("Transaction is aborted due to concurrent update against table trips.x")
LIMITED = api.Forbidden("too many", errors=[{"reason": "jobRateLimitExceeded"}])
PLACE = Place("project", "trips", "staging", "EU", maximum_bytes_billed=10**9)
FACTS = Facts(
    "green_tripdata_2020-10.csv.gz", "http://s/g", '"e"', "", 1, 2, "ab" * 32, "x", 3,
    Decimal("2.50"), "lake", "gs://lake/raw/green/green_tripdata_2020-10.csv.gz", 17,
)  # fmt: skip


class Job:
    """A job that ends as it was told to."""

    def __init__(self, outcome, rows=FACTS.rows):
        self.outcome = outcome
        self.output_rows = rows

    def result(self, timeout):
        if self.outcome:
            raise self.outcome


class Client:
    """Notes the jobs; `outcomes` are those of the publishing script, one after the other."""

    def __init__(self, *outcomes, used=(), staged=FACTS.rows):
        self.outcomes = list(outcomes)
        self.staged = staged
        self.jobs = {job_id: Job(None) for job_id in used}
        self.started = []
        self.dropped = []

    def list_tables(self, dataset):
        return [SimpleNamespace(table_id=name) for name in create_tables(PLACE)]

    def load_table_from_uri(self, uri, staging, *, job_id, job_config):
        return self._start(job_id, None, self.staged)

    def query(self, statement, *, job_id, job_config, job_retry):
        assert job_config.maximum_bytes_billed == 10**9
        assert statement.startswith("BEGIN TRANSACTION")
        return self._start(job_id, self.outcomes.pop(0) if self.outcomes else None)

    def _start(self, job_id, outcome, rows=0):
        if job_id in self.jobs:
            raise api.Conflict(f"Already Exists: Job {job_id}")
        self.started.append(job_id)
        self.jobs[job_id] = Job(outcome, rows)
        return self.jobs[job_id]

    def get_job(self, job_id):
        return self.jobs[job_id]

    def delete_table(self, table, not_found_ok):
        self.dropped.append(table)


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Loads one month with a client, without waiting between tries."""
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(google_clients, "storage_client", lambda: None)

    def find(client, bucket, name):
        assert (bucket, name) == (FACTS.bucket, FACTS.object_name)
        return LakeObject(bucket, name, FACTS.source_bytes, FACTS.crc32c, FACTS.generation)

    monkeypatch.setattr(lake, "find", find)

    def run(client, attempt=1):
        monkeypatch.setattr(
            bigquery.BigQuery, "connect", lambda self: nullcontext(Warehouse(client, PLACE))
        )
        order = Order(TAXIS["green"], Month(2020, 10), FACTS, "exec", attempt, tmp_path, NOW)
        return load_month(bigquery.DESTINATION, order)

    return run


STEM = "green_2020-10_abababababab_exec"


def test_job_ids_follow_from_month_file_execution_and_attempt(load):
    client = Client()
    assert load(client, attempt=2).job_id == f"publish_{STEM}_2_1"
    assert client.started == [f"load_{STEM}_2", f"publish_{STEM}_2_1"]
    assert client.dropped == [f"project.staging.load_{STEM}_2".replace("-", "_")]


def test_a_step_that_is_started_again_adopts_its_own_jobs(load):
    client = Client(used=[f"load_{STEM}_1", f"publish_{STEM}_1_1"])
    assert load(client).job_id == f"publish_{STEM}_1_1"
    assert client.started == []


@pytest.mark.parametrize("outcome", [CANCELLED, LIMITED])
def test_a_cancelled_transaction_is_tried_again_under_a_new_id(load, outcome):
    client = Client(outcome, outcome, None)
    assert load(client).job_id == f"publish_{STEM}_1_3"


def test_endless_conflicts_end_as_busy_and_drop_the_staging_table(load):
    client = Client(*[CANCELLED] * 99)
    with pytest.raises(Busy, match=r"green_tripdata, month 2020-10: gave up"):
        load(client)
    assert len(client.started) == 1 + bigquery.TRIES
    assert len(client.dropped) == 1


def test_another_error_of_the_script_is_told_and_not_tried_again(load):
    client = Client(api.BadRequest("Invalid timestamp: '2019-99-01'"))
    with pytest.raises(LoadFailed, match="the table is as it was: Invalid timestamp"):
        load(client)
    assert len(client.started) == 2
    assert len(client.dropped) == 1


def test_trouble_of_the_service_is_transient(load):
    with pytest.raises(Transient, match="did not answer"):
        load(Client(api.ServiceUnavailable("try later")))


def test_rows_that_the_load_job_lost_are_not_published(load):
    client = Client(staged=FACTS.rows - 1)
    with pytest.raises(
        LoadFailed,
        match="month 2020-10: 2 rows were staged, the file has 3, the table is as it was",
    ):
        load(client)
    assert client.started == [f"load_{STEM}_1"]
    assert len(client.dropped) == 1


@pytest.mark.parametrize("now", [None, LakeObject("lake", "g", 1, "x", FACTS.generation + 1)])
def test_an_object_that_was_replaced_during_the_load_is_not_published(load, monkeypatch, now):
    """A load job reads whatever generation there is."""
    client = Client()
    monkeypatch.setattr(lake, "find", lambda *_: now)
    with pytest.raises(LakeConflict, match="replaced or deleted after extract"):
        load(client)
    assert client.started == [f"load_{STEM}_1"]
    assert len(client.dropped) == 1
