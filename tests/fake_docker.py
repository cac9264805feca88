"""A `docker` program for tests: records how it is called and plays engine and Compose plugin.

It keeps images, containers and volumes as files, reads the variables and secrets that it is
handed as the real one does, and `compose up` answers as a Kestra server's health does. What it
can't show is whether the compose files are right: tests/infra checks those.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNREACHABLE = "Cannot connect to the Docker daemon. Is the docker daemon running?"


class FakeDocker:
    """The test's side: what happened, what is there, and what shall go wrong."""

    def __init__(self, folder: Path) -> None:
        """Put the program `docker` into `folder`/bin."""
        self.folder = folder / "engine"
        self.folder.mkdir(parents=True)
        self.bin = folder / "bin"
        self.bin.mkdir()
        program = self.bin / "docker"
        program.write_text(
            f"#!{sys.executable}\n"
            f"import sys\nfrom pathlib import Path\nsys.path.insert(0, {str(ROOT)!r})\n"
            f"from tests.fake_docker import main\n"
            f"raise SystemExit(main(Path({str(self.folder)!r}), sys.argv[1:]))\n"
        )
        program.chmod(0o755)
        self.path = os.pathsep.join([str(self.bin), os.environ["PATH"]])

    def set(self, fault: str, on: bool = True) -> None:
        """Switch a fault: `no-engine`, `no-plugin`, `no-build`."""
        marker = self.folder / fault
        if on:
            marker.touch()
        else:
            marker.unlink()

    def mend(self) -> None:
        """Switch all faults off."""
        for fault in ("no-engine", "no-plugin", "no-build"):
            (self.folder / fault).unlink(missing_ok=True)

    def forget(self) -> None:
        """No calls so far, and no images."""
        for path in (self.folder / "calls.jsonl", *self.folder.glob("images/*")):
            path.unlink(missing_ok=True)

    def calls(self, command: str = "") -> list[dict]:
        """What the program was started with, oldest first; only those of one compose command."""
        path = self.folder / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        every = [json.loads(line) for line in lines]
        return [call for call in every if not command or command in call["argv"]]

    def there(self, kind: str) -> list[str]:
        """The names of what is there: `containers`, `volumes` or `images`."""
        return sorted(path.name for path in (self.folder / kind).glob("*"))


def main(engine: Path, argv: list[str]) -> int:
    """The program."""
    call = {"argv": argv, "environment": dict(os.environ)}
    with (engine / "calls.jsonl").open("a") as log:
        log.write(json.dumps(call) + "\n")
    if argv[0] != "compose":
        return _info(engine)
    if (engine / "no-plugin").exists():
        return _fail("docker: unknown command: docker compose", 1)
    if argv[1:] == ["version"]:
        print("Docker Compose version v2.40.0")  # noqa: T201
        return 0
    return _compose(engine, argv[1:])


def _fail(message: str, code: int = 1) -> int:
    print(message, file=sys.stderr)  # noqa: T201
    return code


def _info(engine: Path) -> int:
    if (engine / "no-engine").exists():
        return _fail(UNREACHABLE)
    print("28.2.2")  # noqa: T201
    return 0


def _compose(engine: Path, argv: list[str]) -> int:
    flags = dict(word[2:].split("=", 1) for word in argv if word.startswith("--") and "=" in word)
    files = [Path(word.split("=", 1)[1]) for word in argv if word.startswith("--file=")]
    command = next(word for word in argv if not word.startswith("--"))
    pairs = (line.split("=", 1) for line in Path(flags["env-file"]).read_text().splitlines())
    # A variable of the environment wins over one of the file.
    variables = {**{name: text.strip("'") for name, text in pairs}, **os.environ}
    for file in files:
        for name in re.findall(r"\$\{(\w+):\?\}", file.read_text()):
            if not variables.get(name):
                return _fail(f"required variable {name} is missing a value", 15)
    if (engine / "no-engine").exists():
        return _fail(UNREACHABLE)
    for kind in ("containers", "volumes", "images"):
        (engine / kind).mkdir(exist_ok=True)
    project, image = flags["project-name"], engine / "images" / variables["KESTRA_VERSION"]
    if command == "down":
        (engine / "containers" / project).unlink(missing_ok=True)
        if "--volumes" in argv:
            (engine / "volumes" / project).unlink(missing_ok=True)
        return 0
    if "--build" in argv:
        if (engine / "no-build").exists():
            return _fail("failed to solve: kestra/kestra:v2.0.0: not found", 17)
        image.touch()
    if not image.exists():
        return _fail("Error response from daemon: No such image")
    for kind in ("containers", "volumes"):
        (engine / kind / project).touch()
    return _serve(variables) if command == "up" else 0


def _serve(variables: dict[str, str]) -> int:
    password = (Path(variables["SECRETS"]) / "KESTRA_PASSWORD").read_text()
    login = base64.b64encode(f"{variables['KESTRA_USER']}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("Authorization") == f"Basic {login}"
            open_to_all = self.path == "/api/v1/configs"
            known = open_to_all or self.path.startswith("/api/v1/main/flows/search?")
            self.send_response(401 if not (allowed or open_to_all) else 200 if known else 404)
            answer = {"version": variables["KESTRA_VERSION"]} if open_to_all else {"results": []}
            body = json.dumps(answer).encode()
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    def stop(*_: object) -> None:
        raise SystemExit(130)

    signal.signal(signal.SIGTERM, stop)
    address = variables["KESTRA_BIND"], int(variables["KESTRA_PORT"])
    try:
        server = ThreadingHTTPServer(address, Handler)
    except OSError:
        return _fail(f"Bind for {address[0]}:{address[1]} failed: port is already allocated")
    print("kestra-1 | server started", flush=True)  # noqa: T201
    server.serve_forever()
    return 0
