"""An operator of target gcp with a whole project: emulators, a VM's Kestra, and a gcloud.

Google is tests/gcp/cloud; the VM's Kestra is the embedded engine, which the provider stand-in
starts; `gcloud` relays ports (tests/gcp/fake_gcloud.py), so every command opens its own tunnels.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from psycopg import sql
from tests import workflows
from tests.gcp.cloud import Project
from tests.gcp.cloud.provider import YoungProject, serve
from tests.gcp.conftest import PROJECT, ROOT, Machine
from tests.gcp.fake_gcloud import FakeGcloud
from tests.gcp.whole import WholeGoogle

from localcloud import LocalCloud
from localcloud.record import Record
from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.release import file_name
from taxistack.backups import dump
from taxistack.kestra import KestraClient

MONTHS = ("2019-01", "2019-02")
ALL_MONTHS = ("--start", MONTHS[0], "--end", MONTHS[-1], "--taxi", "yellow")
STATE_BUCKET = f"{PROJECT}-tfstate"
SECRETS = ("taxistack-kestra-password", "taxistack-postgres-password")
DISK = "google_compute_disk"


class Operator(Machine):
    """A machine whose project has emulators behind it, and a way to the VM."""

    cloud: LocalCloud
    young: YoungProject
    gcloud: FakeGcloud

    def __post_init__(self) -> None:
        """Everything that a command says, and the arguments of what it starts, is kept."""
        super().__post_init__()
        self.said: list[str] = []
        self.argv: set[str] = set()
        self.passwords: set[str] = set()

    def run(
        self, *arguments: str, code: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; no tunnel of it is left afterwards."""
        with self._watched():
            done = super().run(*arguments, code=code, **environment)
        self._after(done)
        return done

    def step(
        self, workflow: str, name: str, code: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command of a workflow's step as the runner does."""
        own = {**os.environ, **workflows.values(workflow), **self.environment, **environment}
        with self._watched():
            done = workflows.run(workflows.command(workflow, name), own)
        assert done.returncode == code, f"{name}: {done.returncode}\n{done.stdout}{done.stderr}"
        self._after(done)
        return done

    def _after(self, done: subprocess.CompletedProcess[str]) -> None:
        self.said += [done.stdout, done.stderr]
        _, alive = psutil.wait_procs(self._tunnels(), timeout=10)
        assert not alive, f"{done.args}: tunnels are left: {alive}"
        self.passwords |= {
            self.cloud.secrets.get(name) for name in SECRETS if self.cloud.secrets.versions(name)
        }

    def killed(self, kind: str, *arguments: str) -> None:
        """Run a command that dies, and Terraform with it, when it begins to create this kind."""
        own = {**os.environ, **self.environment}
        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments], cwd=ROOT, env=own,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

        def kill(of: str, action: str) -> None:
            if (of, action) == (kind, "create"):
                family = [*psutil.Process(process.pid).children(recursive=True), process]
                for one in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.kill()

        self.young.also = kill
        try:
            assert process.wait(timeout=300) == -signal.SIGKILL
        finally:
            self.young.also = None

    def _tunnels(self) -> Iterator[psutil.Process]:
        for pid in self.gcloud.pids():
            # A number may be another program's by now.
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if str(self.gcloud.folder) in " ".join(process.cmdline()):
                    yield process

    def json(self, *arguments: str, **environment: str) -> Any:
        """What a command prints with --json: stdout is one JSON text and nothing else."""
        return json.loads(self.run(*arguments, "--json", **environment).stdout)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.1):
                for process in psutil.Process().children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        self.argv.add(" ".join(process.cmdline()))

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextlib.contextmanager
    def kestra(self) -> Iterator[KestraClient]:
        """A client with the password that Secret Manager holds."""
        password = self.cloud.secrets.get("taxistack-kestra-password")
        url = f"http://127.0.0.1:{_port(self.cloud, 'kestra')}"
        with contextlib.closing(KestraClient(url, "admin@taxistack.dev", password)) as client:
            yield client

    def as_on_the_vm(self) -> None:
        """What the VM's network resolves, by the addresses of this machine."""
        state = self.cloud.state()
        pairs = {
            "storage_endpoint": state.storage.address,
            "bigquery_endpoint": state.warehouse.address,
            "postgres_host": state.postgres.host,
            "postgres_port": str(state.postgres.port),
        }
        with self.kestra() as client:
            for name, value in pairs.items():
                client.kv.put("taxi", name, value)

    def kept(self) -> dict[str, str]:
        """What the commands wrote: files of the state folder, objects of the state bucket."""
        folder = Path(self.environment["INVOKE_TAXISTACK_STATE"])
        files = {
            str(path): path.read_text(errors="replace")
            for path in folder.rglob("*")
            if path.is_file()
        }
        bucket = f"{self.cloud.state().storage.url}/storage/v1/b/{STATE_BUCKET}/o"
        listed = httpx.get(bucket, trust_env=False).json().get("items", [])
        for one in listed:
            url = f"{bucket}/{one['name'].replace('/', '%2F')}?alt=media"
            files[one["name"]] = httpx.get(url, trust_env=False).text
        return files


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


class DataDisk:
    """What is on the VM's data disk: a snapshot keeps it, and a disk made of one has it.

    A VM that is made anew loses the engine's data here, which on Google Cloud are on this disk:
    only for a disk that is made anew with it, as a restore does, is this a twin.
    """

    def __init__(self, project: Project, cloud: LocalCloud, folder: Path) -> None:
        folder.mkdir()
        self._project, self._cloud, self._folder = project, cloud, folder
        self._made_of = ""

    def keep(self, snapshot: str) -> None:
        """Both databases, as they are now."""
        with self._cloud.standing_still() as engine:
            engine.save(self._folder / f"{snapshot}.tar.gz")
            dump.dump(*self._database(), self._folder / f"{snapshot}.dump")

    def attach(self) -> None:
        """Before a boot: a disk that was made of a snapshot has what that kept."""
        disks = self._project.objects(DISK)
        (snapshot,) = [one["snapshot"] or "" for one in disks if one["name"] == "taxistack-data"]
        name = snapshot.rpartition("/")[2]
        if name and name != self._made_of:
            assert name in [one["name"] for one in self._project.snapshots]
            with self._cloud.standing_still() as engine:
                dump.restore(*self._database(), self._folder / f"{name}.dump")
                engine.load(self._folder / f"{name}.tar.gz")
        self._made_of = name

    def _database(self) -> tuple[dict[str, object], str]:
        server = self._cloud.state().postgres
        address = {"host": server.host, "port": server.port, "dbname": "taxi", "user": "taxi"}
        return address, self._cloud.secrets.get("taxistack-postgres-password")


@contextlib.contextmanager
def working(folder: Path) -> Iterator[Operator]:
    """In a new project: nothing is enabled but what every project has, and news takes a while."""
    cloud = LocalCloud(folder / "cloud")
    with contextlib.ExitStack() as ends:
        # First of all: what a start that fails halfway has started ends too.
        ends.callback(cloud.erase)
        ends.callback(cloud.stop)
        state = cloud.start()
        project = Project(PROJECT, settling=1, cloud=cloud)
        young = YoungProject(project, unknown_accounts=1)
        provider, reattached = serve(cloud, young)
        ends.callback(lambda: provider.stop(grace=5).wait())
        gcloud = FakeGcloud(folder / "sdk")
        releases = folder / "releases"
        for month in MONTHS:
            path = releases / "yellow" / file_name("yellow", Month.parse(month))
            path.parent.mkdir(parents=True, exist_ok=True)
            sample.write(path, "yellow", Month.parse(month), 200)
        cloud.serve(releases)
        google = ends.enter_context(WholeGoogle(project))
        disk = DataDisk(project, cloud, folder / "disk")
        google.snapshotted = disk.keep

        def booted(metadata) -> None:
            _prepare_database(cloud)
            disk.attach()
            # From now on the VM's two ports lead somewhere.
            gcloud.serve(
                "taxistack-kestra", p8080=_port(cloud, "kestra"), p5432=state.postgres.port
            )

        google.booted = booted
        surroundings = {"TF_REATTACH_PROVIDERS": reattached, "PATH": gcloud.path}
        machine = Operator(folder, google, surroundings)
        machine.cloud, machine.young, machine.gcloud = cloud, young, gcloud
        yield machine


def _port(cloud: LocalCloud, name: str) -> int:
    return Record.load(cloud.layout).ports[name]
