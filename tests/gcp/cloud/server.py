"""The door: tokens, faults, and which API a call is for."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.gcp.cloud import compute, deleting, emulators, platform, watching
from tests.gcp.cloud.answers import Answer, Refused, Request, disabled
from tests.gcp.cloud.project import TITLES, Project
from tests.gcp.cloud.tokens import Tokens
from tests.gcp.cloud.vm import Vm

# Variable -> the path below which that API answers here, its version included.
PLACES = {
    "GOOGLE_BIG_QUERY_CUSTOM_ENDPOINT": "bigquery/v2/",
    "GOOGLE_CLOUD_BILLING_CUSTOM_ENDPOINT": "cloudbilling/v1/",
    "GOOGLE_COMPUTE_CUSTOM_ENDPOINT": "compute/v1/",
    "GOOGLE_IAM_CUSTOM_ENDPOINT": "iam/v1/",
    "GOOGLE_LOGGING_CUSTOM_ENDPOINT": "logging/v2/",
    "GOOGLE_MONITORING_CUSTOM_ENDPOINT": "monitoring/",
    "GOOGLE_OAUTH2_CUSTOM_ENDPOINT": "oauth2/",
    "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT": "cloudresourcemanager/v1/",
    "GOOGLE_SECRET_MANAGER_CUSTOM_ENDPOINT": "secretmanager/v1/",
    "GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT": "serviceusage/v1/",
    "GOOGLE_STORAGE_CUSTOM_ENDPOINT": "storage/v1/",
}
OLD_FORM = ("compute", "storage", "bigquery")
_ROUTES = (*compute.ROUTES, *platform.ROUTES, *deleting.ROUTES, *watching.ROUTES)


@dataclass
class Fault:
    """What goes wrong with the next `times` calls that match."""

    pattern: re.Pattern[str]
    times: int
    status: int = 0
    message: str = "The service is currently unavailable."
    reason: str = ""
    retry_after: str = "0"
    reset: bool = False
    expires: bool = False
    """Every token that was given out so far is refused from this call on."""
    seconds: float = 0.0

    def answer(self, service: str, number: str) -> Answer | None:
        """The refusal; None when the call is only slow."""
        if not self.status:
            return None
        if self.reason in ("SERVICE_DISABLED", "accessNotConfigured"):
            name = f"{service}.googleapis.com"
            refused = disabled(name, number, TITLES.get(name, name))
            if self.reason == "accessNotConfigured":  # the older form, without a reason in details
                refused.reason, refused.status = "accessNotConfigured", ""
        else:
            status = {400: "FAILED_PRECONDITION", 403: "PERMISSION_DENIED"}.get(self.status, "")
            refused = Refused(self.status, status, self.message, self.reason)
        old = service in OLD_FORM or self.reason == "accessNotConfigured"
        return refused.answer(old, **{"Retry-After": self.retry_after})


class Google:
    """The server, on a free port of loopback, while the `with` block lasts."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.tokens = Tokens()
        self.vms: dict[str, Vm] = {}
        self.booted: Callable[[Any], None] = lambda metadata: None
        """Called with the metadata of every boot of a VM."""
        self.snapshotted: Callable[[str], None] = lambda name: None
        """Called with the name of every snapshot of a disk that is asked for."""
        self.calls: list[str] = []
        """`METHOD /path` of every call, in order."""
        self._faults: list[Fault] = []
        self._guard = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.google = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    def __enter__(self) -> Google:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self, folder: Path) -> dict[str, str]:
        """Variables that bring kit, client libraries and Terraform here, with credentials.

        `folder`: where the made-up credentials are written.
        """
        return {
            **{variable: f"{self.url}/{place}" for variable, place in PLACES.items()},
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.tokens.write(folder, self.url)),
            "GOOGLE_CLOUD_PROJECT": self.project.id,
            # Nothing leaves the machine: google.auth asks one address that no variable moves.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }

    def fail(self, pattern: str, *, times: int = 1, **fault: Any) -> None:
        """Let the next `times` calls fail whose `METHOD /path` matches (see Fault)."""
        with self._guard:
            self._faults.append(Fault(re.compile(pattern), times, **fault))

    def fault_for(self, call: str) -> Fault | None:
        """The fault that this call meets, if any."""
        with self._guard:
            self.calls.append(call)
            for fault in self._faults:
                if fault.times > 0 and fault.pattern.search(call):
                    fault.times -= 1
                    return fault
        return None

    def vm(self, name: str) -> Vm:
        """The machine of an instance that Terraform has made; its first boot begins now.

        One that was made anew in its place is another machine, without the report of the former.
        """
        instance_id = self._instance(name).get("instance_id", "")
        with self._guard:
            if name not in self.vms or self.vms[name].id != instance_id:
                self.vms[name] = Vm(lambda metadata: self.booted(metadata), instance_id)
                self.vms[name].boot(self.metadata(name))
            return self.vms[name]

    def metadata(self, name: str) -> dict[str, str]:
        """The metadata of an instance, as Terraform set it last."""
        return dict(self._instance(name).get("metadata") or {})

    def _instance(self, name: str) -> dict[str, Any]:
        instances = self.project.objects("google_compute_instance")
        return next((one for one in instances if one["name"] == name), {})

    def answer(self, request: Request) -> Answer:
        """One call."""
        service = request.path.split("/")[1]
        if service in ("sts", "iamcredentials", "oauth2"):
            return self.tokens.answer(request)
        try:
            self.tokens.check(request)
            if service not in {place.split("/")[0] for place in PLACES.values()}:
                service = "bigquery" if request.path.startswith("/upload/bigquery") else "storage"
            name = f"{service}.googleapis.com"
            if not self.project.in_force(name):
                raise disabled(name, self.project.number, TITLES[name])
            if service in ("storage", "bigquery"):
                return emulators.forward(self.project, self.url, service, request)
            return self._route(request)
        except Refused as refused:
            return refused.answer(service in OLD_FORM)

    def _route(self, request: Request) -> Answer:
        known = False
        for method, pattern, handle in _ROUTES:
            if found := pattern.fullmatch(request.path):
                known = True
                if method == request.method:
                    parts = found.groupdict()
                    platform.check_project(self.project, parts.get("project"))
                    return Answer.of(handle(self, request, parts))
        if known:
            raise Refused(405, "", f"{request.method} is not allowed here")
        return Answer(404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    google: Google


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: `Google.calls` has them."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body, google = self._body(), self.server.google
        fault = google.fault_for(f"{self.command} {parts.path}")
        if fault is not None:
            time.sleep(fault.seconds)
            if fault.reset:
                self._reset()
                return
            if fault.expires:
                google.tokens.expire()
                fault = None
        answer = fault and fault.answer(parts.path.split("/")[1], google.project.number)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(self.command, parts.path, query, self.headers, body, parts.query)
        self._send(answer or google.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _reset(self) -> None:
        """Break the connection as a lost peer does, without an answer."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()


def as_json(answer: Answer) -> Any:
    """An answer's content."""
    return json.loads(answer.body)
