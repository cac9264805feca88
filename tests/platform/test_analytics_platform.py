"""The dbt project, through its flow and from a shell, in a dataset and a database of its own.

dbt is installed by run.py, from the package registry: where that can't be reached this is skipped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from taxi_etl.month import Month
from taxistack.commands import dbt, status
from taxistack.targets import NAMESPACE

RUN = Path(__file__).resolve().parents[2] / "analytics" / "run.py"
DATASET = DATABASE = "analytics"
GREEN, YELLOW = "2009-06", "2009-07"
"""Months that no other test loads: the lake is everybody's."""
NO_NETWORK = ("dns error", "failed to fetch", "connection", "timed out", "name or service")


@pytest.fixture(scope="module")
def installed() -> None:
    spec = importlib.util.spec_from_file_location("run", RUN)
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    try:
        run.python()
    except run.Stop as stop:
        if any(word in str(stop).lower() for word in NO_NETWORK):
            pytest.skip(f"the package registry can't be reached: {stop}")
        raise


@pytest.fixture
def own_place(platform) -> Iterator[None]:
    """The flows work in a dataset and a database of this test's: other tests' months stay out."""
    client, kv = platform.target.bigquery(), platform.target.kestra().kv
    usual = {name: kv.get(NAMESPACE, name) for name in ("dataset", "postgres_database")}
    with closing(platform.target.postgres()) as connection:
        connection.autocommit = True
        connection.execute(f"CREATE DATABASE {DATABASE}")
        client.create_dataset(DATASET)
        kv.put(NAMESPACE, "dataset", DATASET)
        kv.put(NAMESPACE, "postgres_database", DATABASE)
        try:
            yield
        finally:
            for name, value in usual.items():
                kv.put(NAMESPACE, name, value)
            client.delete_dataset(DATASET, delete_contents=True)
            connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def run(platform, flow: str, **inputs: str) -> dict:
    flags = [text for pair in inputs.items() for text in ("--input", "=".join(pair))]
    ran = json.loads(platform.invoke("run", flow, *flags, "--json").stdout)
    assert ran["state"] == "SUCCESS"
    return ran


def mart(platform, destination: str) -> dict[tuple[str, str], tuple]:
    """Trips, revenue and the moment of the load, by taxi and month."""
    query = (
        "SELECT taxi, source_month, sum(trips), sum(revenue), max(loaded_at) "
        "FROM {}monthly_zone_revenue GROUP BY taxi, source_month"
    )
    if destination == "bigquery":
        job = platform.target.bigquery().query(query.format(f"{DATASET}."))
        rows = [row.values() for row in job.result()]
    else:
        import psycopg

        address = {**platform.target.postgres_address(), "dbname": DATABASE}
        password = platform.target.postgres_password()
        with closing(psycopg.connect(**address, password=password)) as connection:
            rows = connection.execute(query.format("")).fetchall()
    return {(taxi, f"{month:%Y-%m}"): tuple(rest) for taxi, month, *rest in rows}


def build(platform, destination: str, *more: str) -> None:
    """As the guide does it from a shell, in this test's place."""
    place = {"PGDATABASE": DATABASE, "TAXI_DATASET": DATASET}
    done = subprocess.run(
        [sys.executable, RUN, "--destination", destination, "build", *more],
        env={**os.environ, **status.environment(platform.target), **place},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("installed", "zones_list", "own_place")
def test_on_postgres_the_flow_builds_it_and_what_is_new_alone_is_added(platform):
    platform.publish("green", Month.parse(GREEN), 60)
    run(platform, "taxi_to_postgres", taxi="green", month=GREEN)
    run(platform, "taxi_analytics", destination="postgres")
    first = mart(platform, "postgres")
    assert {key: int(value[0]) for key, value in first.items()} == {("green", GREEN): 60}, (
        "a stray pickup makes no month of its own"
    )
    platform.publish("yellow", Month.parse(YELLOW), 60)
    run(platform, "taxi_to_postgres", taxi="yellow", month=YELLOW)
    build(platform, "postgres", "--select", "monthly_zone_revenue+")
    later = mart(platform, "postgres")
    assert later["green", GREEN] == first["green", GREEN]
    assert int(later["yellow", YELLOW][0]) == 60


@pytest.mark.usefixtures("installed", "zones_list", "own_place")
def test_on_bigquery_the_flow_builds_it_and_a_month_that_is_loaded_again_is_made_again(platform):
    for month, rows in (("2009-10", 60), ("2009-11", 70)):
        platform.publish("green", Month.parse(month), rows)
        run(platform, "taxi_to_bigquery", taxi="green", month=month)
    run(platform, "taxi_analytics", destination="bigquery")
    first = mart(platform, "bigquery")
    assert {key: int(value[0]) for key, value in first.items()} == {
        ("green", "2009-10"): 60,
        ("green", "2009-11"): 70,
    }
    platform.publish("green", Month.parse("2009-11"), 90)
    run(platform, "taxi_to_bigquery", taxi="green", month="2009-11", replace="true")
    build(platform, "bigquery", "--select", "monthly_zone_revenue+")
    later = mart(platform, "bigquery")
    assert later["green", "2009-10"] == first["green", "2009-10"]
    assert int(later["green", "2009-11"][0]) == 90


def test_the_profile_that_status_prints_leads_to_both_destinations(platform):
    content = yaml.safe_load(platform.invoke("status", "--dbt").stdout)
    bigquery, postgres = (content["taxi"]["outputs"][name] for name in ("bigquery", "postgres"))
    assert (bigquery["method"], bigquery["type"]) == ("oauth-secrets", "bigquery")
    assert bigquery["token"]
    assert bigquery["token"] not in bigquery["api_endpoint"]
    assert platform.target.emulators()["BIGQUERY_EMULATOR_HOST"] == (
        f"{bigquery['api_endpoint']}/{bigquery['token']}"
    )
    address = platform.target.postgres_address()
    assert (postgres["host"], postgres["port"]) == (address["host"], address["port"])
    assert postgres["password"] == platform.target.postgres_password()


def test_on_google_cloud_the_profile_takes_the_machines_credentials():
    known = {"GOOGLE_CLOUD_PROJECT": "mine", "TAXI_DATASET": "trips", "BIGQUERY_LOCATION": "EU",
             "BIGQUERY_MAXIMUM_BYTES": "1000"}  # fmt: skip
    made = dbt.profile(known)["taxi"]
    assert list(made["outputs"]) == ["bigquery"], "PostgreSQL is behind a tunnel"
    assert made["target"] == "bigquery"
    assert made["outputs"]["bigquery"] == {
        "type": "bigquery", "method": "oauth", "project": "mine", "dataset": "trips",
        "location": "EU", "maximum_bytes_billed": 1000, "threads": 2, "priority": "interactive",
        "job_retries": 1,
    }  # fmt: skip
