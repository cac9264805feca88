"""The SQL of the boot script, by a real psql on a real PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.infra.boot_sandbox import Vm

from localcloud import postgres
from localcloud.layout import Layout

SERVER = """
import os, sys
from pathlib import Path
from localcloud import postgres
from localcloud.layout import Layout
program = postgres.command(Layout(Path(sys.argv[1])), int(sys.argv[2]))
os.execv(program[0], program)
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server says."""
    return tmp_path_factory.mktemp("database") / "log"


@pytest.fixture(scope="module")
def server(log: Path) -> Iterator[dict[str, str | int]]:
    """Where it is; Kestra's user has the password `own`."""
    layout = Layout(log.parent / "postgres")
    for folder in (layout.private, layout.data("postgres").parent):
        folder.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(layout.folder), str(port)], stderr=errors
        )
    where: dict[str, str | int] = {"host": "127.0.0.1", "port": port}
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            try:
                owner = postgres.password(layout)
                connection = psycopg.connect(
                    **where, user="postgres", password=owner, dbname="postgres", autocommit=True
                )
            except psycopg.OperationalError:
                time.sleep(0.1)
                continue
            break
        with connection:
            connection.execute("CREATE ROLE kestra LOGIN SUPERUSER PASSWORD 'own'")
            connection.execute("CREATE DATABASE kestra OWNER kestra")
        yield where
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize(
    "password", ["plain-1", "it's \"two\" '' quotes", "back\\slash\\' :'password' $(x) `id` \\q"]
)
def test_any_password_becomes_the_flows_users(
    vm: Vm, server: dict[str, str | int], log: Path, password: str
) -> None:
    vm.cloud.secrets["s-postgres"] = password
    said = vm.boot()
    sql = (vm.sandbox / "sql").read_text()
    arguments = next(call for call in vm.calls() if " psql " in call).split(" psql ")[1].split()
    for _ in range(2):  # a second boot finds role and database
        done = subprocess.run(
            [postgres.programs() / "psql", *arguments],
            input=sql,
            env={
                **os.environ,
                "PGHOST": str(server["host"]),
                "PGPORT": str(server["port"]),
                "PGPASSWORD": "own",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with psycopg.connect(**server, user="taxi", password=password, dbname="taxi") as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("taxi",)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(**server, user="taxi", password=password, dbname="kestra")
    assert password not in said + log.read_text()
