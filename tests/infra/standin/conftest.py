"""A provider stand-in of the test's own, on real emulators, and small roots to run on it."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from localcloud import InstanceConfig, LocalCloud, SecretStore, State, sockets
from localcloud.google import reattach, server
from taxistack.terraform import Terraform, program

STATE_BUCKET = "tfstate"
HEAD = """
terraform {
  required_providers {
    google = {
      source = "hashicorp/google"
    }
  }
  backend "gcs" {}
}
variable "project" {
  type = string
}
provider "google" {
  project                         = var.project
  region                          = "us-central1"
  zone                            = "us-central1-a"
  add_terraform_attribution_label = false
}
"""


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """The parts of a local cloud (no Kestra), with a bucket for Terraform's state."""
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"))
    state = cloud.start()
    try:
        url = f"{state.storage.url}/storage/v1/b?project=test"
        httpx.post(url, json={"name": STATE_BUCKET}).raise_for_status()
        yield state
    finally:
        cloud.stop()


class CloudWithoutEngine:
    """The real emulators and a real secret store; the engine is a word and a list of starts."""

    def __init__(self, emulators: State, folder: Path) -> None:
        self.secrets = SecretStore(folder / "private" / "secrets")
        self.started: list[InstanceConfig] = []
        self.instance: str | None = None
        self.broken = False
        self.asked, self.power = threading.Event(), threading.Event()
        self.power.set()
        self._emulators = emulators

    def state(self) -> State:
        return self._emulators

    def start_instance(self, config: InstanceConfig) -> str:
        from localcloud.errors import PartError

        self.asked.set()
        assert self.power.wait(60), "the test forgot to switch the power on"
        self.instance = "RUNNING"
        if self.broken:
            raise PartError("kestra", "did not come up")
        self.started.append(config)
        return "http://127.0.0.1"

    def stop_instance(self) -> None:
        self.instance = "TERMINATED"

    def delete_instance(self) -> None:
        self.instance = None

    def instance_state(self) -> str | None:
        return self.instance


@dataclass
class Gate:
    """Holds up objects that are about to be created, updated or deleted."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)
    closed: bool = False

    def close(self) -> None:
        self.closed = True

    def open(self) -> None:
        self.closed = False
        self.opened.set()

    def __call__(self, kind: str, action: str) -> None:
        if self.closed:
            self.reached.set()
            assert self.opened.wait(60), "the test forgot to open the gate"


@dataclass
class StandIn:
    """A provider of the test's own."""

    cloud: CloudWithoutEngine
    gate: Gate
    folder: Path
    environment: dict[str, str]
    project: str
    emulators: State

    @property
    def backend(self) -> dict[str, str]:
        """Its state lives under its project's name."""
        return {
            "bucket": STATE_BUCKET,
            "prefix": self.project,
            "storage_custom_endpoint": f"{self.emulators.storage.address}/storage/v1/",
        }

    def bucket_url(self, name: str) -> str:
        return f"{self.emulators.storage.url}/storage/v1/b/{name}"

    def dataset_url(self, name: str) -> str:
        root = f"{self.emulators.warehouse.url}/bigquery/v2/projects"
        return f"{root}/{self.project}/datasets/{name}"


@pytest.fixture
def standin(emulators: State, tmp_path: Path) -> Iterator[StandIn]:
    """The provider, served from this process."""
    folder = tmp_path / "standin"
    cloud, gate = CloudWithoutEngine(emulators, folder), Gate()
    private = folder / "private"
    private.mkdir(mode=0o700, parents=True)
    running = server.start(folder, cloud, before=gate)
    google = SimpleNamespace(address=str(private / sockets.GOOGLE), pid=os.getpid())
    environment = {
        "TF_REATTACH_PROVIDERS": reattach(SimpleNamespace(google=google)),
        "GOOGLE_OAUTH_ACCESS_TOKEN": emulators.key,
    }
    # A project of the test's own: the emulators are shared.
    project = f"test-{uuid.uuid4().hex[:12]}"
    try:
        yield StandIn(cloud, gate, folder, environment, project, emulators)
    finally:
        gate.open()
        running.stop(grace=5).wait()


@pytest.fixture(params=["path", "packaged"])
def terraform_program(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Every Terraform that the driver may take: the one on PATH, and the packaged one."""
    if request.param == "packaged":
        return sys.executable, str(program.BUNDLED)
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("no terraform on PATH")
    return (found,)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty root module; `write` fills it."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def stack(standin: StandIn, root: Path, tmp_path: Path) -> Callable[..., Terraform]:
    """`stack(hcl, …)`: Terraform on a root with this text; options as the driver has them."""

    def make(hcl: str, **options: Any) -> Terraform:
        (root / "main.tf").write_text(HEAD + hcl)
        variables = {"project": standin.project, **options.pop("variables", {})}
        return Terraform(
            root=root,
            data_dir=tmp_path / "terraform",
            environment=standin.environment,
            backend=standin.backend,
            variables=variables,
            **options,
        )

    return make
