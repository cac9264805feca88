"""Terraform on the project's own roots, with the provider stand-in behind it.

Nothing here creates anything: the tests plan. A plan asks the provider for schemas and values and
no cloud, so the stand-in gets a cloud that fails when it is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.infra.boot_sandbox import cloud, vm  # noqa: F401 (fixtures)

from localcloud import sockets
from localcloud.google.reattaching import SOURCE
from localcloud.google.server import start
from taxistack.terraform import executable
from taxistack.terraform.program import environment

INFRA = Path(__file__).resolve().parents[2] / "infra"


class _NoCloud:
    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"a plan touched the cloud: {name}")


@dataclass(frozen=True)
class Root:
    """One Terraform root in a folder of its own, which a test may change."""

    folder: Path
    data: Path
    reattach: str

    def __call__(
        self, *arguments: str, code: int | None = 0, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Terraform here; asserts its exit code unless `code` is None."""
        own = {
            "TF_DATA_DIR": str(self.data),
            "TF_REATTACH_PROVIDERS": self.reattach,
            **{f"TF_VAR_{name}": value for name, value in (variables or {}).items()},
        }
        done = subprocess.run(
            [*executable(), *arguments],
            cwd=self.folder,
            env=environment(own),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture(scope="session")
def reattach(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """TF_REATTACH_PROVIDERS of a provider stand-in that serves this session's tests."""
    folder = tmp_path_factory.mktemp("standin")
    private = folder / "private"
    private.mkdir(mode=0o700)
    server = start(folder, _NoCloud())
    address = {"Network": "unix", "String": str(private / sockets.GOOGLE)}
    plugin = {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True}
    yield json.dumps({SOURCE: {**plugin, "Addr": address}})
    server.stop(grace=5).wait()


@pytest.fixture(scope="session")
def copy_root(reattach: str) -> Callable[..., Root]:
    """A function that copies infra/ into a folder and initialises one root of it, no backend."""

    def copy(folder: Path, root: str = ".") -> Root:
        ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        shutil.copytree(INFRA, folder / "infra", ignore=ignored)
        terraform = Root(folder / "infra" / root, folder / "data", reattach)
        terraform("init", "-backend=false", "-input=false")
        return terraform

    return copy


@pytest.fixture(scope="module")
def infra(copy_root: Callable[..., Root], tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The main root, ready to validate, test and plan."""
    return copy_root(tmp_path_factory.mktemp("infra"))


@pytest.fixture(scope="module")
def bootstrap(copy_root: Callable[..., Root], tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The root infra/bootstrap, ready to validate, test and plan."""
    return copy_root(tmp_path_factory.mktemp("bootstrap"), "bootstrap")
