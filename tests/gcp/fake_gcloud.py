"""A `gcloud` program for tests that relays ports, with the messages of the real one.

It knows two commands, `compute start-iap-tunnel` and doctor's `auth list`, and refuses every other
word, as gcloud refuses what it does not know. Texts, streams, exit codes and order are those of
gcloud 528: asking for the VM, "Testing if tunnel connection works." on stderr, then "Listening on
port [N]." on stdout in Python's own buffer. As on a user's machine, the program on PATH is a shell
script that starts Python and hands no signal on.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ME = "(gcloud.compute.start-iap-tunnel)"
CHECKING = f"ERROR: {ME} While checking if a connection can be made: Error while connecting"

# What the real one says, by the fault that a test plants; each ends it with code 1.
FAULTS = {
    "logged-out": f"ERROR: {ME} You do not currently have an active account selected.\n"
    "Please run:\n\n  $ gcloud auth login\n\nto obtain new credentials.",
    "login-expired": f"ERROR: {ME} There was a problem refreshing your current auth tokens: "
    "Reauthentication failed. cannot prompt during non-interactive execution.\n"
    "Please run:\n\n  $ gcloud auth login\n\nto obtain new credentials.",
    "no-credentials": f"ERROR: {ME} Your current active account [ada@example.com] does not have "
    "any valid credentials\nPlease run:\n\n  $ gcloud auth login\n\nto obtain new credentials.",
    "offline": f"ERROR: {ME} There was a problem refreshing your current auth tokens: "
    "HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded with url: "
    "/token (Caused by NameResolutionError(\"Failed to resolve 'oauth2.googleapis.com'\"))",
    "no-role": f"{CHECKING} [4033: 'not authorized'].",
    "may-not-see": f"ERROR: {ME} Could not fetch resource:\n - Required 'compute.instances.get' "
    "permission for 'projects/some-project/zones/z/instances/vm'",
    "iap-off": f"ERROR: {ME} Could not fetch resource:\n - Cloud Identity-Aware Proxy API has not "
    "been used in project 123 before or it is disabled. Enable it by visiting "
    "https://console.developers.google.com/apis/api/iap.googleapis.com/overview?project=123 then "
    "retry.",
    "compute-off": f"ERROR: {ME} API [compute.googleapis.com] not enabled on project [123].",
    "not-running": f"{CHECKING} [4047: 'Failed to lookup instance'].",
    "crash": "ERROR: gcloud crashed (RuntimeError): something new",
}


class FakeGcloud:
    """The test's side: the program, the VM's ports, and what shall go wrong."""

    def __init__(self, folder: Path) -> None:
        """Put the program `gcloud` into `folder`/bin."""
        self.folder = folder / "gcloud"
        self.folder.mkdir(parents=True)
        self.bin = folder / "bin"
        self.bin.mkdir(exist_ok=True)
        code = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path; "
            f"from tests.gcp.fake_gcloud import main; "
            f"sys.exit(main(Path({str(self.folder)!r}), sys.argv[1:]))"
        )
        (self.folder / "code.py").write_text(code + "\n")
        program = self.bin / "gcloud"
        program.write_text(f'#!/bin/sh\n"{sys.executable}" "{self.folder}/code.py" "$@"\nexit $?\n')
        program.chmod(0o755)
        self.path = os.pathsep.join([str(self.bin), os.environ["PATH"]])
        self._vms: dict[str, dict[str, int]] = {}

    def serve(self, vm: str, **ports: int) -> None:
        """Let `vm` be there; what its port leads to: serve("vm", p8080=…, p5432=…)."""
        self._vms.setdefault(vm, {}).update({name[1:]: port for name, port in ports.items()})
        (self.folder / "vms.json").write_text(json.dumps(self._vms))

    def fail(self, fault: str | None) -> None:
        """Plant one of `FAULTS`, `silent` (it never listens), or none."""
        (self.folder / "fault").write_text(fault or "")

    def cut(self, port: int, after: int) -> None:
        """Let the tunnel to the VM's `port` die once, in the middle of an answer.

        `after`: how many requests of one connection are answered whole before that.
        """
        self.cutting_in(self.folder, port).write_text(str(after))

    def is_cut(self, port: int) -> bool:
        """Whether that has come about."""
        return not self.cutting_in(self.folder, port).exists()

    @staticmethod
    def cutting_in(folder: Path, port: int) -> Path:
        """The file that is there until the tunnel has died."""
        return folder / f"cut-{port}"

    def pids(self) -> list[int]:
        """The processes that were started so far, oldest first: Python's, not the shell's."""
        path = self.folder / "pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []


def main(folder: Path, argv: list[str]) -> int:
    """The program."""
    with (folder / "pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if argv[:2] == ["auth", "list"]:
        print("ada@example.com")  # noqa: T201
        return 0
    asked = _parse(argv)
    fault = (folder / "fault").read_text() if (folder / "fault").exists() else ""
    if fault in FAULTS:
        return _fail(FAULTS[fault])
    if fault == "silent":
        threading.Event().wait()
    vms = json.loads((folder / "vms.json").read_text()) if (folder / "vms.json").exists() else {}
    if asked.instance not in vms:
        where = f"projects/{asked.project}/zones/{asked.zone}/instances/{asked.instance}"
        return _fail(
            f"ERROR: {ME} Could not fetch resource:\n - The resource '{where}' was not found"
        )
    host, _, number = asked.local_host_port.rpartition(":")
    port = _local_port(int(number))
    if port is None:
        return _fail(f"ERROR: {ME} Local port [{number}] is not available.")
    cut = FakeGcloud.cutting_in(folder, asked.port)
    return _relay(host, port, asked.port, vms[asked.instance].get(str(asked.port)), cut)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("gcloud", allow_abbrev=False)  # ends with 2, as gcloud does
    parser.add_argument("group", choices=["compute"])
    parser.add_argument("command", choices=["start-iap-tunnel"])
    parser.add_argument("instance")
    parser.add_argument("port", type=int)
    parser.add_argument("--local-host-port", default="localhost:0")
    # gcloud has defaults for these where it was configured; the kit may not rely on them.
    parser.add_argument("--zone", required=True)
    parser.add_argument("--project", required=True)
    return parser.parse_args(argv)


def _fail(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201
    return 1


def _local_port(number: int) -> int | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return None
        if not number:
            number = probe.getsockname()[1]
            print(f"Picking local unused port [{number}].", file=sys.stderr)  # noqa: T201
    return number


def _relay(host: str, port: int, remote: int, backend: int | None, cut: Path) -> int:
    print("WARNING: \n\nTo increase the performance of the tunnel, …", file=sys.stderr)  # noqa: T201
    print("Testing if tunnel connection works.", file=sys.stderr)  # noqa: T201
    try:
        _backend(backend).close()
    except OSError:
        return _fail(
            f"{CHECKING} [4003: 'failed to connect to backend']. "
            f"(Failed to connect to port {remote})"
        )
    with socket.create_server((host, port), backlog=128) as server:
        print(f"Listening on port [{port}].")  # noqa: T201
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client, backend, cut), daemon=True).start()


def _backend(port: int | None) -> socket.socket:
    if port is None:
        raise ConnectionRefusedError
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def _serve(client: socket.socket, backend: int | None, cut: Path) -> None:
    # As the real one: the local connection is accepted first, and closed when there is no other.
    with client:
        try:
            server = _backend(backend)
        except OSError:
            return
        with server, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            asked = 0
            while True:
                for key, _ in ready.select():
                    try:
                        data = key.fileobj.recv(65536)
                        if key.fileobj is client:
                            asked += 1
                        elif cut.exists() and asked > int(cut.read_text()):
                            client.sendall(data[: len(data) // 2])
                            cut.unlink()
                            os._exit(1)
                        key.data.sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
