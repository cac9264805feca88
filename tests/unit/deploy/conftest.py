"""A Kestra server in memory: as much of it as a deployment asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import httpx
import pytest
import yaml

from taxistack.kestra import KestraClient

BASE = "/api/v1/main"


class MemoryServer:
    """Flows, key-value pairs, files and one kind of execution; counts what changes them."""

    def __init__(self) -> None:
        self.flows: dict[str, str] = {}
        self.keys: dict[str, object] = {}
        self.files: dict[str, bytes] = {}
        self.requirements = "sha-of-the-server"
        self.environment_state = "SUCCESS"
        self.executions: set[str] = set()
        self.invalid: dict[str, str] = {}
        self.broken: str | None = None
        """Path whose change is refused."""
        self.writes: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, verb = request.url.path.removeprefix(BASE), request.method
        if request.url.path == "/api/v1/configs":
            return httpx.Response(200, json={"version": "2.0.0"})
        if verb != "GET" and path not in ("/flows/validate",) and "executions" not in path:
            if self.broken == path:
                return httpx.Response(500, json={"detail": "the disk is full"})
            self.writes.append(f"{verb} {path} {request.url.params.get('path', '')}".strip())
        for prefix, answer in {
            "/flows": self._flows,
            "/namespaces/taxi/kv": self._key,
            "/kv": self._keys,
            "/namespaces/taxi/files": self._files,
            "/executions": self._executions,
            "/outputs": self._outputs,
        }.items():
            if path.startswith(prefix):
                return answer(request, verb, path.removeprefix(prefix).strip("/"))
        raise AssertionError(f"nobody should ask {verb} {path}")

    def _flows(self, request: httpx.Request, verb: str, rest: str) -> httpx.Response:
        text = request.content.decode()
        if rest == "validate":
            reason = self.invalid.get(yaml.safe_load(text)["id"])
            return httpx.Response(200, json=[{"index": 0, "constraints": reason}])
        if verb == "POST":
            self.flows[yaml.safe_load(text)["id"]] = text
            return httpx.Response(200, json={})
        if rest == "taxi":
            return httpx.Response(200, json=[{"id": one} for one in self.flows])
        flow = rest.removeprefix("taxi/")
        if flow not in self.flows:
            return httpx.Response(404)
        if verb == "DELETE":
            del self.flows[flow]
            return httpx.Response(204)
        if verb == "PUT":
            self.flows[flow] = text
        return httpx.Response(200, json={"id": flow, "source": self.flows[flow]})

    def _key(self, request: httpx.Request, verb: str, key: str) -> httpx.Response:
        if verb == "PUT":
            self.keys[key] = json.loads(request.content)
        elif key not in self.keys:
            return httpx.Response(404)
        elif verb == "DELETE":
            del self.keys[key]
            return httpx.Response(200, json=True)
        return httpx.Response(200, json={"value": self.keys[key]})

    def _keys(self, request: httpx.Request, verb: str, rest: str) -> httpx.Response:
        found = [{"key": key} for key in self.keys]
        return httpx.Response(200, json={"results": found, "total": len(found)})

    def _files(self, request: httpx.Request, verb: str, rest: str) -> httpx.Response:
        path = request.url.params["path"].strip("/")
        if rest == "directory":
            return httpx.Response(200, json=self._folder(path))
        if verb == "POST":
            kind = request.headers["Content-Type"].encode()
            form = message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + request.read())
            self.files[path] = form.get_payload()[0].get_payload(decode=True)
            return httpx.Response(200)
        if path not in self.files:
            return httpx.Response(404)
        if verb == "DELETE":
            del self.files[path]
            return httpx.Response(204)
        return httpx.Response(200, content=self.files[path])

    def _folder(self, folder: str) -> list[dict[str, str]]:
        below = [
            path.removeprefix(folder).strip("/") for path in self.files if path.startswith(folder)
        ]
        kinds = {path.split("/")[0]: "Directory" if "/" in path else "File" for path in below}
        return [{"fileName": name, "type": kind} for name, kind in kinds.items()]

    def _executions(self, request: httpx.Request, verb: str, rest: str) -> httpx.Response:
        if verb == "DELETE":
            self.executions.discard(rest)
            return httpx.Response(204)
        assert rest == "taxi/etl_environment"
        assert "etl_environment" in self.flows
        self.executions.add("x1")
        return httpx.Response(200, json={"id": "x1", "state": {"current": self.environment_state}})

    def _outputs(self, request: httpx.Request, verb: str, rest: str) -> httpx.Response:
        return httpx.Response(200, json={"requirements": self.requirements})


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


@pytest.fixture
def client(server: MemoryServer) -> Iterator[KestraClient]:
    transport = httpx.MockTransport(server)
    with KestraClient("http://kestra.test", "a", "b", transport, retry_wait=0.001) as made:
        yield made


class Repository:
    """A small repository: two flows and two ETL files."""

    def __init__(self, root: Path) -> None:
        self.flows, self.etl = root / "flows", root / "taxi_etl"
        for folder in (self.flows, self.etl, self.etl / "__pycache__"):
            folder.mkdir()
        (self.etl / "__pycache__" / "cli.pyc").write_bytes(b"\0")
        for left_by_an_editor in (".cli.py.swp", "cli.py~"):
            (self.etl / left_by_an_editor).touch()
        (self.etl / "__init__.py").write_bytes(b"")
        (self.etl / "cli.py").write_text("print()")
        for flow in ("etl_environment", "hello_world"):
            self.write(flow)
        self.kv = {"bucket": "lake", "source": "http://example.test"}

    def write(self, flow: str, text: str | None = None) -> None:
        (self.flows / f"{flow}.yaml").write_text(text or f"id: {flow}\nnamespace: taxi\n")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)
