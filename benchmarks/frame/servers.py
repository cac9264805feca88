"""The servers that both sides of a benchmark work on: the local cloud's parts, without Kestra."""

from __future__ import annotations

import gzip
import os
import string
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage

from benchmarks.frame.measuring import surroundings
from localcloud import LocalCloud
from localcloud.postgres import programs
from localcloud.state import State
from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.release import file_name
from taxi_etl.schema import TAXIS

SCRIPTS = Path(__file__).parents[2] / "scripts"
PROJECT, DATASET, STAGING, BUCKET = "taxi-bench", "trips", "trips_staging", "lake"
_SAMPLED = 50_000  # rows that are generated; more are these again, each time with another flag


@dataclass(frozen=True)
class Servers:
    """Where the servers are; `environment` is what a step is told of them."""

    environment: dict[str, str]
    source: str
    releases: Path
    storage: storage.Client
    bigquery: bigquery.Client
    folder: Path

    def publish(self, month: Month, rows: int, taxi: str = "yellow") -> Path:
        """Put a month of so many rows, nearly all different, on the release site."""
        path = self.releases / taxi / file_name(taxi, month)
        path.parent.mkdir(exist_ok=True)
        base = b"".join(sample.text(TAXIS[taxi], month, min(rows, _SAMPLED)))
        header, text = base.split(b"\r\n", 1)
        with gzip.open(path, "wb", compresslevel=6) as file:
            file.write(header + b"\r\n")
            left = rows
            for flag in string.ascii_uppercase:
                lines = text.splitlines(keepends=True)[:left]
                file.write(b"".join(lines).replace(b",N,", f",{flag},".encode()))
                left -= len(lines)
                if not left:
                    return path
        raise ValueError(f"{rows} rows are too many")

    def facts(self, month: Month, taxi: str = "yellow") -> Path:
        """The file of facts of a month that was extracted."""
        return self.folder / f"{taxi}-{month}.json"

    def step(self, name: str, month: Month, *flags: str, taxi: str = "yellow") -> None:
        """Run a step, as a process of its own."""
        subprocess.run(
            [sys.executable, "-m", "taxi_etl", name, "--taxi", taxi, "--month", str(month),
             "--facts", str(self.facts(month, taxi)), *flags],
            env=self.environment, check=True, capture_output=True, cwd=self.folder,
        )  # fmt: skip

    def extract(self, month: Month, taxi: str = "yellow") -> None:
        """Run extract; its facts are kept for the other steps."""
        flags = ["--source", self.source, "--bucket", BUCKET, "--replace"]
        self.step("extract", month, *flags, taxi=taxi)

    def shell(self, script: str, **values: object) -> None:
        """Run a shell script with psql and its variables."""
        words = {name: str(value) for name, value in values.items()}
        path = f"{programs()}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**self.environment, **words, "PATH": path}, check=True, capture_output=True,
        )  # fmt: skip


def environment_of(state: State) -> dict[str, str]:
    """What a step is told of these servers, here and in the tests."""
    return {
        **surroundings(),
        "STORAGE_EMULATOR_HOST": state.storage.url,
        "BIGQUERY_EMULATOR_HOST": state.warehouse.url,
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "DATASET": DATASET,
        "STAGING_DATASET": STAGING,
        "PGHOST": state.postgres.host,
        "PGPORT": str(state.postgres.port),
        "PGUSER": state.postgres.user,
        "PGDATABASE": state.postgres.database,
        "PGPASSWORD": state.postgres.password,
    }


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Start them on free ports with state in the folder; they are taken away at the end."""
    cloud = LocalCloud(folder / "cloud")
    releases = folder / "releases"
    releases.mkdir()
    cloud.serve(releases)
    try:
        state = cloud.start()
        environment = {**environment_of(state), "PYTHONPATH": str(SCRIPTS)}
        known: dict[str, Any] = {"project": PROJECT, "credentials": AnonymousCredentials()}
        lake = storage.Client(**known, client_options={"api_endpoint": state.storage.url})
        warehouse = bigquery.Client(**known, client_options={"api_endpoint": state.warehouse.url})
        lake.create_bucket(BUCKET)
        for name in (DATASET, STAGING):
            warehouse.create_dataset(f"{PROJECT}.{name}")
        yield Servers(environment, state.releases.url, releases, lake, warehouse, folder)
    finally:
        cloud.stop()
        cloud.erase()
