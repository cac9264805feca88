"""Target gcp from a new project to proven tables and back to nothing, with the user's commands.

Google is tests/gcp/cloud; the VM's Kestra is the embedded engine, which the provider stand-in
starts. What the VM would find by its own network (the emulators for Google's addresses, `postgres`
for its database) is written into the KV pairs after `deploy-flows`: the engine's steps run here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from psycopg import sql
from tests.gcp.cloud import Google, Project
from tests.gcp.cloud.provider import YoungProject, serve
from tests.gcp.conftest import PROJECT, Machine

from localcloud import LocalCloud
from localcloud.record import Record
from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.release import file_name
from taxistack.kestra import KestraClient

MONTHS = ("2019-01", "2019-02")


class Operator(Machine):
    """A machine whose project has emulators behind it, and a way to the VM."""

    cloud: LocalCloud
    young: YoungProject

    def kestra(self) -> KestraClient:
        """A client with the password that Secret Manager holds."""
        password = self.cloud.secrets.get("taxistack-kestra-password")
        url = self.environment["INVOKE_TAXISTACK_KESTRA_URL"]
        return KestraClient(url, "admin@taxistack.dev", password)

    def make_state_bucket(self) -> None:
        """What `setup` makes."""
        url = f"{self.cloud.state().storage.url}/storage/v1/b?project={PROJECT}"
        body = {"name": f"{PROJECT}-tfstate", "location": "US"}
        httpx.post(url, json=body, trust_env=False).raise_for_status()

    def as_on_the_vm(self) -> None:
        """What the VM's network resolves, by the addresses of this machine."""
        state = self.cloud.state()
        pairs = {
            "storage_endpoint": state.storage.url,
            "bigquery_endpoint": state.warehouse.url,
            "postgres_host": state.postgres.host,
            "postgres_port": str(state.postgres.port),
        }
        with contextlib.closing(self.kestra()) as client:
            for name, value in pairs.items():
                client.kv.put("taxi", name, value)


def _prepare_database(cloud: LocalCloud) -> None:
    """What infra/kestra/boot.sh does at every boot: the flows' role, database and password."""
    server = cloud.state().postgres
    password = cloud.secrets.get("taxistack-postgres-password")
    with psycopg.connect(
        host=server.host, port=server.port, user=server.user, dbname=server.database,
        password=server.password, autocommit=True,
    ) as db:  # fmt: skip
        if not db.execute("SELECT 1 FROM pg_roles WHERE rolname = 'taxi'").fetchone():
            db.execute("CREATE ROLE taxi LOGIN")
            db.execute("CREATE DATABASE taxi OWNER taxi")
        db.execute(sql.SQL("ALTER ROLE taxi PASSWORD {}").format(sql.Literal(password)))


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A new project: nothing is enabled but what every project has, and news takes a while."""
    folder = tmp_path_factory.mktemp("gcp")
    cloud = LocalCloud(folder / "cloud")
    state = cloud.start()
    project = Project(PROJECT, settling=1, cloud=cloud)
    young = YoungProject(project, unknown_accounts=1)
    provider, reattached = serve(cloud, young)
    releases = folder / "releases"
    for month in MONTHS:
        path = releases / "yellow" / file_name("yellow", Month.parse(month))
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.write(path, "yellow", Month.parse(month), 200)
    cloud.serve(releases)
    try:
        with Google(project) as google:
            google.booted = lambda metadata: _prepare_database(cloud)
            machine = Operator(
                folder,
                google,
                {
                    "TF_REATTACH_PROVIDERS": reattached,
                    "INVOKE_TAXISTACK_KESTRA_URL": f"http://127.0.0.1:{_port(cloud, 'kestra')}",
                    "INVOKE_TAXISTACK_POSTGRES_PORT": str(state.postgres.port),
                },
            )
            machine.cloud, machine.young = cloud, young
            yield machine
    finally:
        provider.stop(grace=5).wait()
        cloud.stop()
        cloud.erase()


def _port(cloud: LocalCloud, name: str) -> int:
    return Record.load(cloud.layout).ports[name]


def test_from_a_new_project_to_proven_tables_and_back_to_nothing(operator: Operator) -> None:
    google = operator.google
    missing = operator.run("plan", code=3)
    assert "gs://some-project-tfstate does not exist" in missing.stderr
    operator.make_state_bucket()

    planned = json.loads(operator.run("plan", "--json").stdout)
    assert planned["any"] is True

    up = operator.run("up", "--auto-approve")
    assert "an API that was just enabled is not on everywhere yet" in up.stderr
    assert "a new service account is not known everywhere yet" in up.stderr
    assert "Kestra 2.0.0 at http://127.0.0.1:" in up.stdout
    assert operator.young.refused, "the young project has refused something"
    assert json.loads(operator.run("plan", "--json").stdout)["any"] is False

    source = operator.cloud.state().releases.url
    operator.run("deploy-flows", "--source", source)
    operator.as_on_the_vm()
    months = ("--start", MONTHS[0], "--end", MONTHS[-1], "--taxi", "yellow")
    operator.run("backfill", *months)
    proven = json.loads(operator.run("verify", *months, "--json").stdout)
    assert proven
    status = json.loads(operator.run("status", "--json").stdout)
    assert {(one["destination"], one["months"]) for one in status["loaded"]} == {
        ("bigquery", 2),
        ("postgres", 2),
    }

    moved = operator.run("up", "--auto-approve", code=2, INVOKE_TAXISTACK_LOCATION="EU")
    assert "setting location" in moved.stderr
    assert "holds data: nothing was changed" in moved.stderr

    # A rotation: the VM has the old passwords until it boots again.
    operator.environment["INVOKE_TAXISTACK_SECRET_VERSION"] = "2"
    rotated = operator.run("up", "--auto-approve")
    assert "taxistack-kestra runs with older settings; starting it again" in rotated.stderr
    assert google.vm("taxistack-kestra").starts == 2
    operator.run("status")

    google.project.snapshots.append({"name": "daily-1", "labels": {"stack": "taxistack"}})
    down = operator.run("down", "--yes")
    assert "deleted snapshot daily-1" in down.stderr
    assert "0 left" in down.stdout
    assert google.project.snapshots == []
