"""Services that fail while a month is loaded, one step at a time, through a proxy before each.

What passes is tried again, within limits, and the step's log tells of it. What stays is told at
once. Whatever happens, a month is there as a whole or not at all, and the next run makes it whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from tests.faults.proxy import HttpProxy, Spoiler, TcpProxy
from tests.platform.etl.conftest import Parts, Ran

from taxi_etl.month import Month

ROWS = 150
FAMILY = "Services that fail"
AT_ONCE = 30.0
"""Seconds that a step has to tell what stays; trying again would take minutes."""


@dataclass
class Between:
    """The parts, with a proxy before each."""

    parts: Parts
    storage: HttpProxy
    warehouse: HttpProxy
    source: HttpProxy
    postgres: TcpProxy

    def whole(self, month: str, destination: str) -> None:
        """Everything is there once, and proven."""
        rows, _, ids, _ = self.parts.month(destination, "green", month)
        assert (rows, ids) == (ROWS, ROWS)
        ledger = f"SELECT count(*) FROM loads_current WHERE month = DATE '{month}-01'"
        assert self.parts.query(destination, f"{ledger} AND taxi = 'green'") == [(1,)]
        ran = self.parts.reconcile("green", month, destination)
        assert ran.code == 0, ran.stderr

    def nothing(self, month: str, destination: str) -> None:
        """Nothing is there, and nothing is left on the way."""
        for table in ("green_tripdata WHERE source_month", "loads WHERE taxi = 'green' AND month"):
            statement = f"SELECT count(*) FROM {table} = DATE '{month}-01'"
            assert self.parts.query(destination, statement) == [(0,)]


@pytest.fixture(scope="module")
def between(parts: Parts) -> Iterator[Between]:
    storage = HttpProxy(parts.environment["STORAGE_EMULATOR_HOST"])
    warehouse = HttpProxy(parts.environment["BIGQUERY_EMULATOR_HOST"])
    source = HttpProxy(parts.source)
    postgres = TcpProxy(int(parts.environment["PGPORT"]))
    environment = {
        **parts.environment,
        "STORAGE_EMULATOR_HOST": storage.url,
        "BIGQUERY_EMULATOR_HOST": warehouse.url,
        "PGPORT": str(postgres.port),
    }
    proxied = replace(parts, environment=environment, source=source.url)
    for destination in ("bigquery", "postgres"):  # the tables are there
        parts.publish("green", "2009-01", ROWS)
        parts.loaded("green", "2009-01", destination)
    yield Between(proxied, storage, warehouse, source, postgres)
    for one in (storage, warehouse, source, postgres):
        one.close()


_months = iter(Month.range(Month(2009, 2), Month(2014, 12)))


@pytest.fixture
def month(between: Between) -> str:
    """A month of its own, published."""
    month = str(next(_months))
    between.parts.publish("green", month, ROWS)
    for proxy in (between.storage, between.warehouse, between.source):
        proxy.spoil()
    return month


def secrets_kept(between: Between, ran: Ran) -> None:
    key = between.storage.url.rsplit("/", 1)[1]
    assert len(key) > 20
    assert key not in ran.stderr
    assert between.parts.environment["PGPASSWORD"] not in ran.stderr
    assert "Traceback" not in ran.stderr


PASSING = {
    "answers 429 with Retry-After": Spoiler(status=429, headers={"Retry-After": "1"}, times=2),
    "answers 500": Spoiler(status=500, times=2),
    "answers 503": Spoiler(status=503, times=2),
    "resets the connection": Spoiler(refuse=True),
    "does it and its answer is lost": Spoiler(lose=True),
    "drips its answer": Spoiler(drip=2.0),
}
QUICK = ("answers 503", "does it and its answer is lost")
UPLOADS = r"^(POST|PUT) .*/upload/"
LOOKS = r"^GET .*/storage/"
JOBS = r"^POST .*/jobs"
POLLS = r"^GET .*/(jobs|queries)/"


def cut_down(faults: dict[str, Spoiler]) -> list:
    """All of them; CI has time for two of each."""
    marked = pytest.mark.faults_all
    return [pytest.param(name, marks=() if name in QUICK else marked, id=name) for name in faults]


def seen(name: str, ran: Ran, word: str) -> None:
    """That it was tried again stands in the log, but where the answer came at last."""
    if not name.startswith("drips"):
        assert word in ran.stderr, ran.stderr


@pytest.mark.parametrize("asked", [LOOKS, UPLOADS], ids=["reads", "upload"])
@pytest.mark.parametrize("name", cut_down(PASSING))
def test_a_storage_that_fails_for_a_moment_is_asked_again(between, month, fault, name, asked):
    place = f"storage, {'upload' if asked == UPLOADS else 'reads'}, at extract"
    with fault(FAMILY, name, place) as clock:
        between.storage.spoil(replace(PASSING[name], asked=asked))
        ran = between.parts.extract("green", month)
        clock.recovered()
        assert between.storage.spoilt
        assert ran.code == 0, ran.stderr
        seen(name, ran, "Google did not answer")
        secrets_kept(between, ran)
        assert between.parts.load("green", month, "postgres").code == 0
        between.whole(month, "postgres")


@pytest.mark.parametrize("asked", [JOBS, POLLS], ids=["submit", "poll"])
@pytest.mark.parametrize("name", cut_down(PASSING))
def test_a_warehouse_that_fails_for_a_moment_is_asked_again(between, month, fault, name, asked):
    place = f"warehouse, {'a job is submitted' if asked == JOBS else 'a job is waited for'}"
    with fault(FAMILY, name, place) as clock:
        assert between.parts.extract("green", month).code == 0
        between.warehouse.spoil(replace(PASSING[name], asked=asked))
        ran = between.parts.load("green", month, "bigquery")
        clock.recovered()
        assert ran.code == 0, ran.stderr
        assert between.warehouse.spoilt
        secrets_kept(between, ran)
        between.whole(month, "bigquery")
        staging = between.parts.bigquery.list_tables("taxi-test.trips_staging")
        assert [one.table_id for one in staging] == []


STAYING = {
    "answers 400": Spoiler(status=400, times=99),
    "answers 403": Spoiler(status=403, times=99),
}


@pytest.mark.parametrize("name", list(STAYING))
@pytest.mark.parametrize("service", ["storage", "warehouse"])
def test_a_refusal_is_told_at_once_and_loads_nothing(between, month, fault, name, service):
    with fault(FAMILY, name, f"{service}, for good") as clock:
        proxy = between.storage if service == "storage" else between.warehouse
        if service == "warehouse":
            assert between.parts.extract("green", month).code == 0
        proxy.spoil(replace(STAYING[name]))
        began = time.monotonic()
        if service == "storage":
            ran = between.parts.extract("green", month)
        else:
            ran = between.parts.load("green", month, "bigquery")
        assert time.monotonic() - began < AT_ONCE
        clock.recovered()
        assert ran.code == 1
        assert "refused" in ran.error
        secrets_kept(between, ran)
        between.nothing(month, "bigquery")
        proxy.spoil()
        between.parts.loaded("green", month, "bigquery")
        between.whole(month, "bigquery")


@pytest.mark.faults_all
@pytest.mark.parametrize("status", [404, 410])
def test_an_upload_session_that_expires_is_told_and_the_next_run_uploads(
    between, month, fault, status
):
    with fault(FAMILY, f"answers {status}: the upload's session has expired", "storage") as clock:
        between.storage.spoil(Spoiler(asked=r"^PUT .*upload_id", status=status, times=99))
        ran = between.parts.extract("green", month)
        if between.storage.spoilt:  # a small file goes in one request, without a session
            assert ran.code == 1
            secrets_kept(between, ran)
        between.storage.spoil()
        between.parts.loaded("green", month, "postgres")
        clock.recovered()
        between.whole(month, "postgres")


def test_an_object_that_somebody_else_put_there_meanwhile_is_told(between, month, fault):
    with fault(FAMILY, "answers 412: somebody else was quicker", "storage, upload") as clock:
        between.storage.spoil(Spoiler(asked=UPLOADS, status=412, times=99))
        ran = between.parts.extract("green", month)
        clock.recovered()
        assert ran.code == 1
        assert "changed by somebody else" in ran.error
        between.nothing(month, "postgres")


def test_a_job_that_is_there_already_is_adopted(between, month, fault):
    with fault(FAMILY, "answers 409: the job is there already", "warehouse, submit") as clock:
        assert between.parts.extract("green", month).code == 0
        between.warehouse.spoil(Spoiler(asked=JOBS, lose=True))
        ran = between.parts.load("green", month, "bigquery")
        clock.recovered()
        assert ran.code == 0, ran.stderr
        between.whole(month, "bigquery")


def said_of_a_job(state: str, reason: str = ""):
    """What the warehouse says of a job, made to say this instead."""

    def rewrite(body: bytes) -> bytes:
        told = json.loads(body)
        told["status"] = {"state": state}
        if reason:
            error = {"reason": reason, "message": "the job ended in an error after all"}
            told["status"] |= {"errorResult": error, "errors": [error]}
        return json.dumps(told).encode()

    return rewrite


def late(reason: str) -> list[Spoiler]:
    """A load job that is told to run, and to run still, and then to have failed."""
    running = said_of_a_job("RUNNING")
    return [
        Spoiler(asked=JOBS, rewrite=running),
        Spoiler(asked=r"^GET .*/jobs/", rewrite=running, times=2),
        Spoiler(asked=r"^GET .*/jobs/", rewrite=said_of_a_job("DONE", reason)),
    ]


def fails_late(between, month, reason: str) -> str:
    """Load a month whose job fails so: nothing of it is there, and what the step said is given."""
    assert between.parts.extract("green", month).code == 0
    between.warehouse.spoil(*late(reason))
    ran = between.parts.load("green", month, "bigquery")
    assert len(between.warehouse.spoilt) == 4
    assert ran.code == 1
    between.nothing(month, "bigquery")
    return ran.error


def test_a_job_that_fails_after_it_was_reported_late_is_told_and_leaves_nothing(
    between, month, fault
):
    with fault(FAMILY, "a job ends in an error, reported late", "warehouse, for good") as clock:
        error = fails_late(between, month, "invalid")
        assert "the job ended in an error after all" in error
        assert "the table is as it was" in error
        clock.struck()
        between.parts.loaded("green", month, "bigquery")
        clock.recovered()
        between.whole(month, "bigquery")
        staging = between.parts.bigquery.list_tables("taxi-test.trips_staging")
        assert [one.table_id for one in staging] == []


@pytest.mark.faults_all
def test_a_job_whose_late_error_passes_is_told_so_and_the_retry_loads_all(between, month, fault):
    """The flow tries a failed load once more by itself; here the retry is ours."""
    with fault(FAMILY, "a job ends in an error, reported late", "warehouse, passing") as clock:
        error = fails_late(between, month, "backendError")
        assert "gave up, the table is as it was: the job ended in an error after all" in error
        clock.struck()
        ran = between.parts.load("green", month, "bigquery", execution="again")
        clock.recovered()
        assert ran.code == 0, ran.stderr
        between.whole(month, "bigquery")


SOURCE = {
    "resets in the middle of the file": Spoiler(cut=True),
    "announces more than it sends": Spoiler(short=True),
    "answers 503": Spoiler(status=503, times=2),
    "answers 429 with Retry-After": Spoiler(status=429, headers={"Retry-After": "1"}),
    "drips the file": Spoiler(drip=3.0),
}


@pytest.mark.parametrize("name", list(SOURCE))
def test_a_source_that_fails_for_a_moment_is_asked_again(between, month, fault, name):
    with fault(FAMILY, name, "source") as clock:
        between.source.spoil(replace(SOURCE[name], asked="^GET"))
        ran = between.parts.extract("green", month)
        clock.recovered()
        assert ran.code == 0, ran.stderr
        assert between.source.spoilt
        assert between.parts.load("green", month, "postgres").code == 0
        between.whole(month, "postgres")


POSTGRES = {
    "resets at the login": lambda sent, data: True,
    "resets in the middle of COPY": lambda sent, data: sent > 12_000,
    "resets at COMMIT": lambda sent, data: b"COMMIT" in data,
}


@pytest.mark.parametrize("name", list(POSTGRES))
def test_a_postgres_that_is_cut_off_loads_nothing_and_the_retry_loads_all(
    between, month, fault, name
):
    """The flow tries a failed load once more by itself; here the retry is ours."""
    with fault(FAMILY, name, "postgres") as clock:
        assert between.parts.extract("green", month).code == 0
        between.postgres.cut, between.postgres.vanishes = 0, False
        between.postgres.cuts = [POSTGRES[name]]
        ran = between.parts.load("green", month, "postgres")
        assert between.postgres.cut == 1
        assert ran.code == 1
        assert "PostgreSQL did not answer" in ran.error
        secrets_kept(between, ran)
        between.nothing(month, "postgres")
        clock.struck()
        assert between.parts.load("green", month, "postgres", execution="again").code == 0
        clock.recovered()
        between.whole(month, "postgres")


@pytest.mark.faults_all
def test_a_step_that_vanishes_does_not_hold_the_table_for_ever(between, month, fault):
    with fault(FAMILY, "is not told that its client is gone, at COMMIT", "postgres") as clock:
        assert between.parts.extract("green", month).code == 0
        between.postgres.cut, between.postgres.vanishes = 0, True
        between.postgres.cuts = [POSTGRES["resets at COMMIT"]]
        assert between.parts.load("green", month, "postgres").code == 1
        assert between.postgres.cut == 1
        clock.struck()
        ran = between.parts.load("green", month, "postgres", execution="again")
        clock.recovered()
        assert ran.code == 0, ran.stderr
        between.whole(month, "postgres")
