"""A sandbox that the VM's boot script runs in, for real.

Its root is a temporary folder and its metadata server and Secret Manager are served here. Programs
that would change the machine (apt-get, docker, mkfs, mount) are replaced by ones that write down
how they were called; everything else, curl included, is real.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
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
TOOLS = ("awk", "base64", "bash", "curl", "env", "flock", "head", "sed", "timeout")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
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
    "kestra-secrets": json.dumps(
        {
            "ALARM_WEBHOOK": "s-alarm",
            "KESTRA_PASSWORD": "s-kestra",
            "POSTGRES_PASSWORD": "s-postgres",
        }
    ),
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
        default_factory=lambda: {
            "s-alarm": "https://hooks.example.org/token-3",
            "s-kestra": "Kestra-Secret-1",
            "s-postgres": "postgres-secret-2",
        }
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
    if MISSING:
        pytest.skip(f"not on this machine: {MISSING}")
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
