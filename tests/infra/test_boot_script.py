"""The VM's boot script, run for real in a sandbox.

Its root is a temporary folder and its metadata server and Secret Manager are served here. Programs
that would change the machine (apt-get, docker, mkfs, mount) are replaced by ones that write down
how they were called; everything else, curl included, is real.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

KESTRA = Path(__file__).resolve().parents[2] / "infra" / "kestra"
PYTHON = Path(sys.executable).parent

# What every VM has, and not every machine that runs the tests.
MISSING = [tool for tool in ("bash", "curl", "base64", "sed", "env") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {MISSING}")
TOKEN = "ya29.a-token-of-the-vm"

METADATA = {
    "kestra-compose": (KESTRA / "compose.yaml").read_text(),
    "kestra-dockerfile": (KESTRA / "Dockerfile").read_text(),
    "kestra-entrypoint": (KESTRA / "entrypoint.sh").read_text(),
    "kestra-build-requirements": (KESTRA / "build-requirements.txt").read_text(),
    "kestra-requirements": (KESTRA / "requirements.txt").read_text(),
    "kestra-version": "2.0.0",
    "kestra-user": "admin@kestra.io",
    "kestra-bucket": "a-bucket",
    "kestra-port": "8080",
    "kestra-secrets": '{"KESTRA_PASSWORD": "s-kestra", "POSTGRES_PASSWORD": "s-postgres"}',
    "etl-requirements": "a-digest",
    "secret-version": "1",
}

# Writes down its name and arguments, and what it gets on standard input when it is psql.
RECORDER = """#!/bin/sh
printf '%s' "${0##*/}" >>"$SANDBOX/calls"
printf ' %s' "$@" >>"$SANDBOX/calls"
echo >>"$SANDBOX/calls"
"""
PROGRAMS = {
    "apt-get": 'case "$*" in *install*) touch "$SANDBOX/has-docker" ;; esac',
    "docker": 'case "$* " in\n'
    '  "compose version ") test -e "$SANDBOX/has-docker" ;;\n'
    '  *psql*) cat >>"$SANDBOX/sql" ;;\n'
    '  *" $FAIL_AT "*) echo "docker: $FAIL_AT fails" >&2; exit 1 ;;\n'
    "esac",
    "blkid": 'test -e "$SANDBOX/has-file-system"',
    "mkfs.ext4": 'touch "$SANDBOX/has-file-system"',
    "mountpoint": 'test -e "$SANDBOX/is-mounted"',
    "mount": 'touch "$SANDBOX/is-mounted"',
    "resize2fs": "",
    "curl": 'exec "$REAL_CURL" "$@"',
}


@dataclass
class Cloud:
    """The metadata server and Secret Manager in one; `refusals` calls for secrets fail first."""

    url: str = ""
    metadata: dict[str, str] = field(default_factory=lambda: dict(METADATA))
    secrets: dict[str, str] = field(
        default_factory=lambda: {"s-kestra": "Kestra-Secret-1", "s-postgres": "postgres-secret-2"}
    )
    refusals: int = 0
    boot: list[str] = field(default_factory=list)

    def answer(self, path: str, headers: dict[str, str]) -> str | None:
        """The body for a GET, None for a refusal."""
        if path.startswith("/secrets/projects/a-project/secrets/"):
            self.refusals -= 1
            if self.refusals >= 0 or headers.get("Authorization") != f"Bearer {TOKEN}":
                return None
            value = self.secrets[path.split("/")[5]]
            return json.dumps({"payload": {"data": base64.b64encode(value.encode()).decode()}})
        if headers.get("Metadata-Flavor") != "Google":
            return None
        if path == "/metadata/project/project-id":
            return "a-project"
        if path == "/metadata/instance/service-accounts/default/token":
            return json.dumps({"access_token": TOKEN})
        return self.metadata.get(path.removeprefix("/metadata/instance/attributes/"))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    served = Cloud()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = served.answer(self.path, dict(self.headers))
            self.send_response(403 if body is None else 200)
            self.end_headers()
            self.wfile.write((body or "").encode())

        def do_PUT(self) -> None:
            assert self.path == "/metadata/instance/guest-attributes/taxistack/boot"
            served.boot.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Vm:
    """A VM's file system below a folder, and what was called on it."""

    root: Path
    sandbox: Path
    cloud: Cloud

    def boot(self, fails: bool = False, fail_at: str = "nothing") -> str:
        """Run the boot script as at a boot; its output."""
        (self.sandbox / "calls").write_text("")
        (self.sandbox / "sql").write_text("")
        done = subprocess.run(
            [str(KESTRA / "boot.sh")],
            env={
                "PATH": f"{self.sandbox / 'bin'}:{PYTHON}:{os.environ['PATH']}",
                "SANDBOX": str(self.sandbox),
                "REAL_CURL": str(shutil.which("curl")),
                "FAIL_AT": fail_at,
                "TAXISTACK_ROOT": str(self.root),
                "METADATA_URL": f"{self.cloud.url}/metadata",
                "SECRET_MANAGER_URL": f"{self.cloud.url}/secrets",
                "BOOT_ATTEMPTS": "3",
                "BOOT_PAUSE": "0.05",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert bool(done.returncode) == fails, done.stdout
        return done.stdout

    def calls(self) -> list[str]:
        """What was called, but for curl."""
        lines = (self.sandbox / "calls").read_text().splitlines()
        return [line for line in lines if not line.startswith("curl ")]

    def first(self, start: str) -> int:
        """The position of the first call that starts so."""
        return next(at for at, call in enumerate(self.calls()) if call.startswith(start))

    def read(self, path: str) -> str:
        return (self.root / path).read_text()


@pytest.fixture
def vm(tmp_path: Path, cloud: Cloud) -> Vm:
    root, sandbox = tmp_path / "root", tmp_path / "sandbox"
    for folder in ("run", "opt", "var/lib", "dev/disk/by-id"):
        (root / folder).mkdir(parents=True)
    (root / "dev/disk/by-id/google-data").touch()
    (sandbox / "bin").mkdir(parents=True)
    for name, text in PROGRAMS.items():
        program = sandbox / "bin" / name
        program.write_text(f"{RECORDER}{text}\n")
        program.chmod(0o755)
    return Vm(root, sandbox, cloud)


def test_a_bare_vm_ends_healthy(vm: Vm) -> None:
    vm.boot()
    assert vm.cloud.boot == [
        "install-docker",
        "mount-data-disk",
        "fetch-files",
        "fetch-secrets",
        "prepare-database",
        "start-server",
        "healthy",
    ]
    assert any("install docker.io docker-compose-v2" in call for call in vm.calls())
    up = next(call for call in vm.calls() if "up --detach --wait --wait-timeout" in call)
    assert up.startswith(f"docker compose --project-directory {vm.root}/opt/taxistack ")


def test_an_upgrade_of_docker_does_not_stop_the_containers(vm: Vm) -> None:
    vm.boot()
    assert json.loads(vm.read("etc/docker/daemon.json")) == {"live-restore": True}


def test_the_data_disk_is_there_before_the_database_starts(vm: Vm) -> None:
    vm.boot()
    mounted = vm.first("mount -o")
    assert vm.first("mkfs.ext4") < mounted < vm.first("docker compose --project-directory")
    device, data = "dev/disk/by-id/google-data", "var/lib/taxistack"
    assert vm.calls()[mounted].endswith(f"{vm.root}/{device} {vm.root}/{data}")
    assert f"POSTGRES_DATA={vm.root}/{data}/postgres\n" in vm.read("opt/taxistack/.env")


def test_the_database_is_ready_before_kestra_starts(vm: Vm) -> None:
    vm.boot()
    calls = vm.calls()
    prepared = next(at for at, call in enumerate(calls) if " psql " in call)
    assert any("up --detach --wait postgres" in call for call in calls[:prepared])
    assert any("up --detach --wait --wait-timeout" in call for call in calls[prepared:])


def test_a_second_boot_installs_and_formats_nothing(vm: Vm) -> None:
    vm.boot()
    password = vm.read("var/lib/taxistack/database-password")
    vm.boot()
    changing = ("apt-get", "mkfs.ext4", "mount ")
    assert not any(call.startswith(changing) for call in vm.calls())
    assert any("up --detach --wait --wait-timeout" in call for call in vm.calls())
    assert vm.read("var/lib/taxistack/database-password") == password
    assert vm.cloud.boot[-1] == "healthy"


def test_a_disk_with_data_is_never_formatted(vm: Vm) -> None:
    (vm.sandbox / "has-file-system").touch()
    vm.boot()
    assert not any(call.startswith("mkfs") for call in vm.calls())
    assert any(call.startswith("mount -o") for call in vm.calls())


def test_a_disk_that_has_grown_is_used_whole(vm: Vm) -> None:
    vm.boot()
    assert f"resize2fs {vm.root}/dev/disk/by-id/google-data" in vm.calls()


def test_without_the_data_disk_nothing_starts(vm: Vm) -> None:
    (vm.root / "dev/disk/by-id/google-data").unlink()
    said = vm.boot(fails=True)
    assert vm.cloud.boot[-1] == "failed: mount-data-disk"
    assert "failed: mount-data-disk" in said
    assert not any("compose --project-directory" in call for call in vm.calls())


def test_secrets_are_files_that_only_root_reads(vm: Vm) -> None:
    vm.boot()
    folder = vm.root / "run/taxistack/secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "KESTRA_DB_PASSWORD": 0o600,
        "KESTRA_PASSWORD": 0o600,
        "POSTGRES_PASSWORD": 0o600,
    }
    assert (folder / "KESTRA_PASSWORD").read_text() == "Kestra-Secret-1"
    assert (folder / "POSTGRES_PASSWORD").read_text() == "postgres-secret-2"
    database = vm.root / "var/lib/taxistack/database-password"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert len(database.read_text()) >= 32


def test_no_secret_is_in_an_argument_a_log_or_a_settings_file(vm: Vm) -> None:
    said = vm.boot()
    secrets = [*vm.cloud.secrets.values(), TOKEN, vm.read("var/lib/taxistack/database-password")]
    server = vm.root / "opt/taxistack"
    texts = {path.name: path.read_text() for path in server.iterdir()}
    texts |= {"arguments": (vm.sandbox / "calls").read_text(), "output": said}
    assert "curl --silent" in texts["arguments"]  # curl's arguments are in there
    leaks = [(where, s) for where, text in texts.items() for s in secrets if s in text]
    assert leaks == []


def test_the_flows_user_gets_its_password_by_standard_input(vm: Vm) -> None:
    vm.boot()
    sql = (vm.sandbox / "sql").read_text()
    assert "ALTER ROLE taxi PASSWORD 'postgres-secret-2';" in sql
    assert "CREATE DATABASE taxi OWNER taxi" in sql


def test_a_new_password_reaches_the_server_at_the_next_boot(vm: Vm) -> None:
    vm.boot()
    vm.cloud.secrets["s-postgres"] = "another-secret-3"
    vm.cloud.metadata["secret-version"] = "2"
    vm.boot()
    assert "ALTER ROLE taxi PASSWORD 'another-secret-3';" in (vm.sandbox / "sql").read_text()
    assert vm.read("run/taxistack/secrets/POSTGRES_PASSWORD") == "another-secret-3"
    assert "SECRET_VERSION=2\n" in vm.read("opt/taxistack/.env")  # recreates the containers


def test_rights_that_come_late_are_waited_for(vm: Vm) -> None:
    vm.cloud.refusals = 2
    said = vm.boot()
    assert said.count("secret_file failed") == 2
    assert vm.cloud.boot[-1] == "healthy"


def test_a_secret_that_cannot_be_read_ends_the_boot_and_says_where(vm: Vm) -> None:
    vm.cloud.refusals = 1000
    vm.boot(fails=True)
    assert vm.cloud.boot[-1] == "failed: fetch-secrets"
    assert not any("compose --project-directory" in call for call in vm.calls())


def test_a_setting_that_is_missing_ends_the_boot_and_says_where(vm: Vm) -> None:
    del vm.cloud.metadata["kestra-version"]
    vm.boot(fails=True)
    assert vm.cloud.boot[-1] == "failed: fetch-files"


@pytest.mark.parametrize(
    ("program", "step"), [("build", "start-server"), ("postgres", "prepare-database")]
)
def test_a_step_that_fails_is_named(vm: Vm, program: str, step: str) -> None:
    vm.boot(fails=True, fail_at=program)
    assert vm.cloud.boot[-1] == f"failed: {step}"
    assert "healthy" not in vm.cloud.boot


def test_the_boot_after_a_failed_one_mends_it(vm: Vm) -> None:
    vm.boot(fails=True, fail_at="build")
    vm.boot()
    assert vm.cloud.boot[-1] == "healthy"


def test_the_settings_are_those_of_the_metadata(vm: Vm) -> None:
    vm.boot()
    settings = dict(
        line.split("=", 1) for line in vm.read("opt/taxistack/.env").splitlines() if line
    )
    assert settings == {
        "KESTRA_VERSION": "2.0.0",
        "KESTRA_USER": "admin@kestra.io",
        "ETL_REQUIREMENTS": "a-digest",
        "SECRETS": f"{vm.root}/run/taxistack/secrets",
        "SECRET_VERSION": "1",
        "KESTRA_BIND": "0.0.0.0",  # noqa: S104 (the VM's only address is in its own network)
        "KESTRA_PORT": "8080",
        "POSTGRES_DATA": f"{vm.root}/var/lib/taxistack/postgres",
        "KESTRA_STORAGE": "gcs",
        "KESTRA_BUCKET": "a-bucket",
        "PROJECT": "a-project",
    }
