"""The steps against the local cloud's parts: lake, warehouse, PostgreSQL and a release site."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from benchmarks.frame.servers import BUCKET, DATASET, PROJECT, STAGING, environment_of
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage

from localcloud import LocalCloud
from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.release import file_name

DESTINATIONS = ("bigquery", "postgres")


@dataclass
class Ran:
    """A finished step."""

    code: int
    outputs: dict[str, object]
    error: str
    """The last line on stderr."""
    stderr: str


@dataclass
class Parts:
    """The running parts, and the steps that work on them."""

    source: str
    releases: Path
    environment: dict[str, str]
    storage: storage.Client
    bigquery: bigquery.Client
    facts: dict[tuple[str, str], str] = field(default_factory=dict)

    def publish(self, taxi: str, month: str, rows: int = 300) -> Path:
        """Put a sample month on the release site."""
        path = self.releases / taxi / file_name(taxi, Month.parse(month))
        path.parent.mkdir(exist_ok=True)
        sample.write(path, taxi, Month.parse(month), rows)
        return path

    def command(self, step: str, taxi: str, month: str, *flags: str) -> list[str]:
        """The command line of a step."""
        return [sys.executable, "-m", "taxi_etl", step, "--taxi", taxi, "--month", month, *flags]

    def run(self, step: str, taxi: str, month: str, *flags: str, **environment: str) -> Ran:
        """Run a step as a process of its own."""
        done = subprocess.run(
            self.command(step, taxi, month, *flags),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        last = done.stdout.splitlines()[-1] if done.stdout else ""
        outputs = json.loads(last[2:-2])["outputs"] if last.startswith('::{"outputs"') else {}
        lines = done.stderr.splitlines()
        return Ran(done.returncode, outputs, lines[-1] if lines else "", done.stderr)

    def extract(self, taxi: str, month: str, *flags: str) -> Ran:
        """Run extract and keep its outputs for the steps that follow."""
        ran = self.run("extract", taxi, month, "--source", self.source, "--bucket", BUCKET, *flags)
        if ran.code == 0:
            self.facts[taxi, month] = json.dumps(ran.outputs)
        return ran

    def flags(self, destination: str, execution: str = "test") -> list[str]:
        """The flags of load for a destination."""
        return ["--destination", destination, "--execution-id", execution]

    def load(self, taxi: str, month: str, destination: str, execution: str = "test") -> Ran:
        """Run load with extract's facts."""
        flags = self.flags(destination, execution)
        return self.run("load", taxi, month, *flags, TAXI_FACTS=self.facts[taxi, month])

    def reconcile(self, taxi: str, month: str, destination: str) -> Ran:
        """Run reconcile with extract's facts."""
        flags = ["--destination", destination]
        return self.run("reconcile", taxi, month, *flags, TAXI_FACTS=self.facts[taxi, month])

    def loaded(self, taxi: str, month: str, destination: str) -> None:
        """Extract and load, which must succeed."""
        for ran in (self.extract(taxi, month, "--replace"), self.load(taxi, month, destination)):
            assert ran.code == 0, ran.stderr

    def query(self, destination: str, text: str) -> list[tuple]:
        """Rows of a query in that destination."""
        if destination == "bigquery":
            config = bigquery.QueryJobConfig(default_dataset=f"{PROJECT}.{DATASET}")
            return [row.values() for row in self.bigquery.query(text, config).result()]
        with closing(self.postgres()) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

    def postgres(self) -> psycopg.Connection:
        """A connection in autocommit mode."""
        names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname",
                 "PGPASSWORD": "password"}  # fmt: skip
        known = {key: self.environment[name] for name, key in names.items()}
        return psycopg.connect(**known, autocommit=True)

    def ids(self, destination: str, taxi: str, month: str) -> set[str]:
        """The set of unique_row_id of a month."""
        rows = self.query(
            destination,
            f"SELECT unique_row_id FROM {taxi}_tripdata WHERE source_month = DATE '{month}-01'",
        )
        return {row[0] if isinstance(row[0], str) else row[0].hex() for row in rows}

    def month(self, destination: str, taxi: str, month: str) -> tuple:
        """Rows, sum and number of ids of a month, and when it was loaded."""
        total = "total_amount" + ("::numeric" if destination == "postgres" else "")
        (row,) = self.query(
            destination,
            f"SELECT count(*), sum({total}), count(DISTINCT unique_row_id), max(loaded_at) "
            f"FROM {taxi}_tripdata WHERE source_month = DATE '{month}-01'",
        )
        return row


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """The local cloud's parts without Kestra, started once; a bucket and two datasets."""
    cloud = LocalCloud(tmp_path_factory.mktemp("etl") / "cloud")
    releases = tmp_path_factory.mktemp("releases")
    cloud.serve(releases)
    try:
        state = cloud.start()
        environment = environment_of(state)
        options = {"project": PROJECT, "credentials": AnonymousCredentials()}
        with (
            storage.Client(**options, client_options={"api_endpoint": state.storage.url}) as lake,
            bigquery.Client(
                **options, client_options={"api_endpoint": state.warehouse.url}
            ) as warehouse,
        ):
            lake.create_bucket(BUCKET)
            for name in (DATASET, STAGING):
                warehouse.create_dataset(f"{PROJECT}.{name}")
            yield Parts(state.releases.url, releases, environment, lake, warehouse)
    finally:
        cloud.stop()
        cloud.erase()
