"""The VM's boot script, run for real in a sandbox.

Its root is a temporary folder and its metadata server and Secret Manager are served here. Programs
that would change the machine (apt-get, docker, mkfs, mount) are replaced by ones that write down
how they were called; everything else, curl included, is real.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

KESTRA = Path(__file__).resolve().parents[2] / "infra" / "kestra"
PYTHON = Path(sys.executable).parent

# What every VM has, and not every machine that runs the tests.
TOOLS = ("awk", "base64", "bash", "curl", "env", "flock", "head", "sed", "timeout")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {MISSING}")
TOKEN = "ya29.a-token-of-the-vm"

METADATA = {
    "startup-script": (KESTRA / "boot.sh").read_text(),
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

IMAGE = (
    "etl-requirements",
    "kestra-build-requirements",
    "kestra-dockerfile",
    "kestra-entrypoint",
    "kestra-requirements",
    "kestra-version",
)

# Writes down its name and arguments, and what it gets on standard input when it is psql.
RECORDER = """#!/bin/sh
printf '%s' "${0##*/}" >>"$SANDBOX/calls"
printf ' %s' "$@" >>"$SANDBOX/calls"
echo >>"$SANDBOX/calls"
"""
# Docker's images are files: the name is the tag, the content the label taxistack.inputs.
DOCKER = """
setting() { sed -n "s/^$1=//p" "$TAXISTACK_ROOT/opt/taxistack/.env"; }
case " $* " in
  *psql*) ;;
  *" $FAIL_AT "*) echo "docker: $FAIL_AT fails" >&2; exit 1 ;;
esac
case "$* " in
  "compose version ") test -e "$SANDBOX/has-docker" ;;
  "image inspect --format "*) cat "$SANDBOX/images/${5#*:}" ;;
  "image inspect "*) test -e "$SANDBOX/images/${3#*:}" ;;
  "image ls "*) ls -t "$SANDBOX/images" ;;
  "image prune "*)
    for file in "$SANDBOX"/images/*; do
      test "${file##*/}" = "$(cat "$SANDBOX/runs")" || rm "$file"
    done ;;
  *psql*) cat >>"$SANDBOX/sql" ;;
  *" build "*) setting KESTRA_INPUTS >"$SANDBOX/images/$(setting KESTRA_IMAGE)" ;;
  *" --remove-orphans "*)
    test -e "$SANDBOX/images/$(setting KESTRA_IMAGE)" || exit 1
    setting KESTRA_IMAGE >"$SANDBOX/runs" ;;
esac
"""
PROGRAMS = {
    "apt-get": 'case "$*" in *install*) touch "$SANDBOX/has-docker" ;; esac',
    "docker": DOCKER,
    "blkid": 'test -e "$SANDBOX/has-file-system" || exit "${BLKID:-2}"',
    "mkfs.ext4": 'touch "$SANDBOX/has-file-system"',
    "mountpoint": 'test -e "$SANDBOX/is-mounted"',
    "mount": 'touch "$SANDBOX/is-mounted"',
    "resize2fs": 'exit "${RESIZE2FS:-0}"',
    "systemctl": "",
    "curl": 'exec "$REAL_CURL" "$@"',
}


@dataclass
class Cloud:
    """The metadata server and Secret Manager in one.

    `refusals` calls for secrets fail first; so do `failures` calls of anything with a 503, and
    `silences` calls get no answer.
    """

    url: str = ""
    metadata: dict[str, str] = field(default_factory=lambda: dict(METADATA))
    secrets: dict[str, str] = field(
        default_factory=lambda: {"s-kestra": "Kestra-Secret-1", "s-postgres": "postgres-secret-2"}
    )
    refusals: int = 0
    failures: int = 0
    silences: int = 0
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
        if path == "/metadata/instance/attributes/?recursive=true":
            return json.dumps(self.metadata)
        return None


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    served = Cloud()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def out_of_order(self) -> bool:
            served.silences -= 1
            if served.silences >= 0:
                over.wait()
                return True
            served.failures -= 1
            if served.failures >= 0:
                self.send_error(503)
                return True
            return False

        def do_GET(self) -> None:
            if self.out_of_order():
                return
            body = served.answer(self.path, dict(self.headers))
            self.send_response(403 if body is None else 200)
            self.end_headers()
            self.wfile.write((body or "").encode())

        def do_PUT(self) -> None:
            assert self.path == "/metadata/instance/guest-attributes/taxistack/boot"
            said = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.out_of_order():
                return
            served.boot.append(said)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Vm:
    """A VM's file system below a folder, and what was called on it."""

    root: Path
    sandbox: Path
    cloud: Cloud
    script: Path = KESTRA / "boot.sh"

    def boot(self, fails: bool = False, fail_at: str = "nothing", **settings: str) -> str:
        """Run the boot script as at a boot; its output."""
        (self.sandbox / "calls").write_text("")
        (self.sandbox / "sql").write_text("")
        done = subprocess.run(
            [str(self.script)],
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
                **settings,
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

    def settings(self) -> dict[str, str]:
        """Compose's variables."""
        lines = self.read("opt/taxistack/.env").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def images(self) -> list[str]:
        """The tags of our images on it."""
        return sorted(path.name for path in (self.sandbox / "images").iterdir())


def hash_of(metadata: dict[str, str], *names: str) -> str:
    """What boot.sh says of its metadata, made anew from its description."""
    chosen = sorted(names or metadata)
    text = b"".join(f"{name}\0{metadata[name]}\0".encode() for name in chosen)
    return hashlib.sha256(text).hexdigest()


@pytest.fixture
def vm(tmp_path: Path, cloud: Cloud) -> Vm:
    root, sandbox = tmp_path / "root", tmp_path / "sandbox"
    for folder in ("run", "opt", "var/lib", "dev/disk/by-id"):
        (root / folder).mkdir(parents=True)
    (root / "dev/disk/by-id/google-data").touch()
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text("MemTotal:        8131584 kB\nMemFree:  99 kB\n")
    (sandbox / "bin").mkdir(parents=True)
    (sandbox / "images").mkdir()
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
        "start-docker",
        "build-image",
        "prepare-database",
        "start-server",
        f"healthy {hash_of(METADATA)}",
    ]
    assert any("install docker.io docker-compose-v2" in call for call in vm.calls())
    up = next(
        call for call in vm.calls() if "up --detach --no-build --wait --wait-timeout 600" in call
    )
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
    assert any(call.endswith(" --wait-timeout 300 postgres") for call in calls[:prepared])
    assert any(
        "up --detach --no-build --wait --wait-timeout 600" in call for call in calls[prepared:]
    )


def test_a_second_boot_installs_and_formats_nothing(vm: Vm) -> None:
    vm.boot()
    password = vm.read("var/lib/taxistack/database-password")
    vm.boot()
    changing = ("apt-get", "mkfs.ext4", "mount ")
    assert not any(call.startswith(changing) for call in vm.calls())
    assert any("up --detach --no-build --wait --wait-timeout 600" in call for call in vm.calls())
    assert vm.read("var/lib/taxistack/database-password") == password
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}"


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
    assert "\n\\set password 'postgres-secret-2'\n" in f"\n{sql}"
    assert "ALTER ROLE taxi PASSWORD :'password';" in sql
    assert "CREATE DATABASE taxi OWNER taxi" in sql


def test_a_new_password_reaches_the_server_at_the_next_boot(vm: Vm) -> None:
    vm.boot()
    vm.cloud.secrets["s-postgres"] = "another-secret-3"
    vm.cloud.metadata["secret-version"] = "2"
    vm.boot()
    assert "\\set password 'another-secret-3'\n" in (vm.sandbox / "sql").read_text()
    assert vm.read("run/taxistack/secrets/POSTGRES_PASSWORD") == "another-secret-3"
    assert "SECRET_VERSION=2\n" in vm.read("opt/taxistack/.env")  # recreates the containers


def test_rights_that_come_late_are_waited_for(vm: Vm) -> None:
    vm.cloud.refusals = 2
    said = vm.boot()
    assert said.count("secret_file failed") == 2
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}"


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
    ("program", "step"),
    [
        ("info", "start-docker"),
        ("build", "build-image"),
        ("postgres", "prepare-database"),
        ("--remove-orphans", "start-server"),
    ],
)
def test_a_step_that_fails_is_named(vm: Vm, program: str, step: str) -> None:
    vm.boot(fails=True, fail_at=program)
    assert vm.cloud.boot[-1] == f"failed: {step}"
    assert not any(said.startswith(("healthy", "degraded")) for said in vm.cloud.boot)


def test_the_boot_after_a_failed_one_mends_it(vm: Vm) -> None:
    vm.boot(fails=True, fail_at="build")
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}"


def test_the_settings_are_those_of_the_metadata(vm: Vm) -> None:
    vm.boot()
    assert vm.settings() == {
        "KESTRA_VERSION": "2.0.0",
        "KESTRA_IMAGE": hash_of(METADATA, *IMAGE),
        "KESTRA_INPUTS": hash_of(METADATA),
        "KESTRA_USER": "admin@kestra.io",
        "ETL_REQUIREMENTS": "a-digest",
        "SECRETS": f"{vm.root}/run/taxistack/secrets",
        "SECRET_VERSION": "1",
        "KESTRA_BIND": "0.0.0.0",  # noqa: S104 (the VM's only address is in its own network)
        "KESTRA_PORT": "8080",
        "KESTRA_MEMORY": "5161m",  # of 7941 MiB
        "POSTGRES_BIND": "0.0.0.0",  # noqa: S104 (as above)
        "POSTGRES_MEMORY": "1985m",
        "POSTGRES_DATA": f"{vm.root}/var/lib/taxistack/postgres",
        "KESTRA_STORAGE": "gcs",
        "KESTRA_BUCKET": "a-bucket",
        "PROJECT": "a-project",
    }


# -- what it runs with ---------------------------------------------------------------------------


def test_the_metadata_that_counts_is_what_terraform_sets() -> None:
    terraform = (KESTRA.parent / "modules/kestra/instance.tf").read_text()
    block = re.search(r"^  metadata = \{\n(.*?)^  \}", terraform, re.M | re.S)
    assert block
    ours = set(re.findall(r"^    ([\w-]+) +=", block[1], re.M)) - {
        "block-project-ssh-keys",
        "enable-guest-attributes",
        "enable-oslogin",
        "serial-port-enable",
    }
    listed = re.search(r"^names=\(\n(.*?)^\)", (KESTRA / "boot.sh").read_text(), re.M | re.S)
    assert listed
    assert listed[1].split() == sorted(ours) == sorted(METADATA)


@pytest.mark.parametrize("name", sorted(set(METADATA) - {"startup-script", "kestra-secrets"}))
def test_a_boot_with_other_metadata_says_so(vm: Vm, name: str) -> None:
    vm.boot()
    before = vm.cloud.boot[-1]
    vm.cloud.metadata[name] += "1"
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}" != before


def test_another_script_in_the_metadata_has_not_run(vm: Vm) -> None:
    vm.cloud.metadata["startup-script"] += "# newer\n"
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


def test_blanks_that_the_guest_agent_trims_from_the_script_do_not_matter(vm: Vm) -> None:
    vm.script = vm.sandbox / "startup-script"
    vm.script.write_text(METADATA["startup-script"].strip())
    vm.script.chmod(0o755)
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


def test_metadata_that_changes_during_a_boot_is_not_claimed(vm: Vm) -> None:
    read = vm.cloud.answer

    def answer(path: str, headers: dict[str, str]) -> str | None:
        body = read(path, headers)
        if "attributes" in path:
            vm.cloud.metadata["kestra-user"] = "another@kestra.io"
        return body

    vm.cloud.answer = answer  # type: ignore[method-assign]
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}" != hash_of(vm.cloud.metadata)
    assert vm.settings()["KESTRA_USER"] == METADATA["kestra-user"]


# -- the image -----------------------------------------------------------------------------------


def test_a_second_boot_builds_nothing(vm: Vm) -> None:
    vm.boot()
    assert sum(" build --quiet kestra" in call for call in vm.calls()) == 1
    vm.boot()
    assert not any(" build " in call for call in vm.calls())
    assert all("--no-build" in call for call in vm.calls() if " up " in call)


def test_a_reboot_needs_no_registry(vm: Vm) -> None:
    vm.boot()
    vm.boot(fail_at="build")
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


@pytest.mark.parametrize("name", IMAGE)
def test_changed_inputs_build_another_image_and_the_old_one_goes(vm: Vm, name: str) -> None:
    vm.boot()
    old = vm.images()
    assert old == [hash_of(METADATA, *IMAGE)]
    vm.cloud.metadata[name] += "1"
    vm.boot()
    assert any(" build --quiet kestra" in call for call in vm.calls())
    assert vm.images() == [hash_of(vm.cloud.metadata, *IMAGE)] != old
    assert "docker builder prune --all --force" in vm.calls()


def test_a_changed_setting_builds_nothing(vm: Vm) -> None:
    vm.boot()
    vm.cloud.metadata["kestra-user"] = "another@kestra.io"
    vm.boot()
    assert not any(" build " in call for call in vm.calls())


def test_the_image_is_there_before_what_runs_is_touched(vm: Vm) -> None:
    vm.boot()
    calls = vm.calls()
    built = next(at for at, call in enumerate(calls) if " build --quiet" in call)
    assert built < next(at for at, call in enumerate(calls) if " up " in call)


def test_where_an_image_can_not_be_built_the_older_one_runs_and_is_named(vm: Vm) -> None:
    vm.boot()
    older = vm.images()
    vm.cloud.metadata["kestra-version"] = "2.0.9"
    said = vm.boot(fail_at="build")
    assert vm.cloud.boot[-1] == f"degraded {hash_of(METADATA)}: image build failed"
    assert "can't be built" in said
    assert [(vm.sandbox / "runs").read_text().strip()] == older == vm.images()
    assert vm.settings()["KESTRA_IMAGE"] == older[0]
    assert not any("prune" in call for call in vm.calls())
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}"
    assert vm.images() == [hash_of(vm.cloud.metadata, *IMAGE)]


def test_an_image_of_before_there_were_labels_will_do_too(vm: Vm) -> None:
    (vm.sandbox / "images/2.0.0").touch()
    vm.boot(fail_at="build")
    assert vm.cloud.boot[-1] == "degraded unknown: image build failed"


def test_images_that_can_not_be_removed_are_no_failure(vm: Vm) -> None:
    said = vm.boot(fail_at="builder")
    assert "old images could not be removed" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


# -- what fails for a while, or for good ---------------------------------------------------------


def test_a_metadata_server_that_is_out_of_order_is_asked_again(vm: Vm) -> None:
    vm.cloud.failures = 2
    said = vm.boot()
    assert "ask_metadata failed (try 2 of 3)" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


def test_a_metadata_server_that_stays_out_of_order_ends_the_boot(vm: Vm) -> None:
    vm.cloud.failures = 3
    vm.boot(fails=True)
    assert vm.cloud.boot == ["failed: start"]


def test_a_metadata_server_that_hangs_is_asked_again(vm: Vm) -> None:
    vm.cloud.silences = 1
    said = vm.boot(BOOT_ASK_SECONDS="0.3")
    assert "ask_metadata failed (try 1 of 3)" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


@pytest.mark.parametrize("path", ["attributes/?recursive", "token", "secrets/projects"])
@pytest.mark.parametrize("fault", ["failures", "silences"])
def test_each_call_survives_one_that_fails(vm: Vm, path: str, fault: str) -> None:
    read, faults = vm.cloud.answer, [fault]

    def answer(asked: str, headers: dict[str, str]) -> str | None:
        if path in asked and faults:
            if faults.pop() == "silences":
                time.sleep(1)
            return None
        return read(asked, headers)

    vm.cloud.answer = answer  # type: ignore[method-assign]
    vm.boot(BOOT_ASK_SECONDS="0.3")
    assert faults == []
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


def test_the_end_is_said_again_where_it_did_not_get_through(vm: Vm) -> None:
    read = vm.cloud.answer

    def answer(path: str, headers: dict[str, str]) -> str | None:
        body = read(path, headers)
        if path.endswith("s-postgres/versions/latest:access"):
            vm.cloud.failures = 6  # the steps after this one, and the end twice
        return body

    vm.cloud.answer = answer  # type: ignore[method-assign]
    vm.boot()
    assert vm.cloud.boot[-2:] == ["fetch-secrets", f"healthy {hash_of(METADATA)}"]


def test_a_file_system_that_can_not_grow_is_no_failure(vm: Vm) -> None:
    said = vm.boot(RESIZE2FS="1")
    assert "could not be made larger" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"


@pytest.mark.parametrize("code", ["1", "4", "8", "127"])
def test_only_a_disk_with_nothing_on_it_is_formatted(vm: Vm, code: str) -> None:
    said = vm.boot(fails=True, BLKID=code)
    assert f"blkid ended with {code}" in said
    assert vm.cloud.boot[-1] == "failed: mount-data-disk"
    assert not any(call.startswith(("mkfs", "mount ")) for call in vm.calls())


def test_a_disk_that_can_not_be_read_is_not_formatted(vm: Vm) -> None:
    """Of such a one blkid says, as of an empty one, that it found nothing."""
    device = vm.root / "dev/disk/by-id/google-data"
    device.unlink()
    device.mkdir()  # reading it fails
    vm.boot(fails=True)
    assert "blkid -p" in "\n".join(vm.calls())
    assert vm.cloud.boot[-1] == "failed: mount-data-disk"
    assert not any(call.startswith("mkfs") for call in vm.calls())


def test_docker_does_not_start_before_the_data_disk_is_mounted(vm: Vm) -> None:
    vm.boot()
    unit = vm.read("etc/systemd/system/docker.service.d/taxistack.conf")
    assert unit == f"[Unit]\nConditionPathIsMountPoint={vm.root}/var/lib/taxistack\n"
    assert vm.first("mount -o") < vm.first("systemctl daemon-reload")
    assert vm.first("systemctl start docker") < vm.first("docker compose --project-directory")


@pytest.fixture
def orphan(vm: Vm) -> Iterator[subprocess.Popen[bytes]]:
    """A program that holds the lock, as one that a killed boot left behind."""
    with (vm.root / "run/taxistack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno()])
    yield process
    process.kill()
    process.wait()


def test_a_lock_that_an_orphan_holds_is_waited_for_with_a_limit(
    vm: Vm, orphan: subprocess.Popen[bytes]
) -> None:
    said = vm.boot(fails=True, BOOT_LOCK_SECONDS="1")
    assert vm.cloud.boot == ["wait-for-lock", "failed: wait-for-lock"]
    assert f"after 1 s the lock is still held by: {orphan.pid} (sleep 60 )" in said


def test_a_lock_that_is_let_go_in_time_is_taken(vm: Vm, orphan: subprocess.Popen[bytes]) -> None:
    timer = threading.Timer(0.5, orphan.kill)
    timer.start()
    said = vm.boot()
    timer.join()
    assert vm.cloud.boot[0] == "wait-for-lock"
    assert f"the lock is held by: {orphan.pid}" in said
    assert vm.cloud.boot[-1] == f"healthy {hash_of(METADATA)}"
