"""A Kestra engine of the tests' own: no other part of the local cloud runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.families import named

from localcloud.kestra import build
from localcloud.layout import default_cache
from localcloud.ports import HOST, assign

NAMESPACE = "tests"
PROCESS = "taskRunner: {type: io.kestra.plugin.core.runner.Process}"
_READY_SECONDS = 180  # a busy machine; an idle one needs three
_END_SECONDS = 120
_ENDED = {"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED"}


class Engine:
    """One engine on a folder; can be started again on the same data."""

    user, password = "admin@kestra.io", "Engine1234"
    process_runner = PROCESS

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.log = folder / "engine.log"
        self.config = folder / "kestra.json"
        ports = assign(["face", "controller"], {})
        self.port = ports["face"]
        self.config.write_text(
            json.dumps(
                {
                    "host": HOST,
                    "port": self.port,
                    "controller_port": ports["controller"],
                    "data": str(folder / "data"),
                    "user": self.user,
                    "password": self.password,
                    "secrets": {"WORD": "a-very-secret-word"},
                    "environment": {"ENV_ANSWER": "42"},
                    "path": f"{Path(sys.executable).parent}:{os.environ['PATH']}:{os.defpath}",
                    "cache": str(default_cache()),
                    **settings,
                }
            )
        )
        self.launcher: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(
            base_url=f"http://{HOST}:{self.port}/api/v1/main",
            auth=(self.user, self.password),
            timeout=120,
        )

    def launch(self) -> subprocess.Popen[bytes]:
        """Start a launcher on the configuration; does not wait."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "localcloud.kestra", str(self.config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(self) -> None:
        self.launcher = self.launch()
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            assert self.launcher.poll() is None, self.log.read_text()
            try:
                if self.http.get("../configs").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"the engine did not answer: {self.log.read_text()}")

    @property
    def processes(self) -> list[psutil.Process]:
        """Launcher first; the JVM, and the tasks' processes."""
        assert self.launcher is not None
        head = psutil.Process(self.launcher.pid)
        return [head, *head.children(recursive=True)]

    @property
    def jvm(self) -> psutil.Process:
        return named(self.processes, "java")[0]

    def stop(self) -> None:
        """SIGTERM, as the supervisor does it; asserts that nothing is left."""
        family = self.processes
        assert self.launcher is not None
        self.launcher.send_signal(signal.SIGTERM)
        assert self.launcher.wait(60) == 0, self.log.read_text()[-2000:]
        gone(family)

    def close(self) -> None:
        if self.launcher is not None and self.launcher.poll() is None:
            self.launcher.send_signal(signal.SIGTERM)
            self.launcher.wait(60)
        self.http.close()

    def save(self, flow_id: str, body: str) -> httpx.Response:
        """Create or replace a flow with this id; asserts that it is accepted."""
        source = f"id: {flow_id}\nnamespace: {NAMESPACE}\n{body}"
        answer = self.http.put(f"/flows/{NAMESPACE}/{flow_id}", content=source)
        if answer.status_code == 404:
            answer = self.http.post("/flows", content=source)
        assert answer.status_code == 200, answer.text
        return answer

    def run(
        self,
        flow_id: str,
        *,
        wait: bool = True,
        labels: dict[str, str] | None = None,
        **inputs: Any,
    ) -> dict[str, Any]:
        """Start an execution; the JSON of the answer."""
        pairs = [("labels", f"{key}:{value}") for key, value in (labels or {}).items()]
        parts = {
            key: value if isinstance(value, tuple) else (None, value)
            for key, value in inputs.items()
        }
        answer = self.http.post(
            f"/executions/{NAMESPACE}/{flow_id}",
            params=[("wait", str(wait).lower()), *pairs],
            files=parts or None,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def execution(self, execution_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/executions/{execution_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, execution_id: str) -> dict[str, Any]:
        """The execution once it has ended."""
        return until(
            lambda: (e := self.execution(execution_id))["state"]["current"] in _ENDED and e
        )

    def task_outputs(self, execution_id: str, task_id: str) -> dict[str, Any]:
        runs = self.http.get(f"/outputs/tasks/{execution_id}").json()
        (run,) = [run["taskRunId"] for run in runs if run["taskId"] == task_id]
        return self.http.get(f"/outputs/tasks/{execution_id}/{run}").json()

    def messages(self, execution_id: str, **filters: str) -> list[str]:
        """The messages of an execution's log."""
        answer = self.http.get(f"/logs/{execution_id}", params=filters)
        assert answer.status_code == 200, answer.text
        return [entry["message"] for entry in answer.json()]


def until(probe: Callable[[], Any], seconds: float = _END_SECONDS) -> Any:
    """What `probe` gives as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (result := probe()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return result


def gone(processes: list[psutil.Process]) -> None:
    """Assert that none of them lives (for long)."""
    _, alive = psutil.wait_procs(processes, timeout=20)
    left = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not left


@pytest.fixture(scope="session")
def engine_built() -> None:
    """The engine's build in the user's cache; made when it is not there."""
    build(default_cache(), lambda line: None)


@pytest.fixture(scope="module")
def engine(engine_built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A running engine, one for a module's tests."""
    one = Engine(tmp_path_factory.mktemp("engine"))
    try:
        one.start()
        yield one
    finally:
        one.close()


@pytest.fixture
def new_engine(engine_built: None, tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Makes engines that are not started yet; ends them after the test."""
    made: list[Engine] = []

    def make(**settings: object) -> Engine:
        folder = tmp_path / f"engine-{len(made)}"
        folder.mkdir()
        made.append(Engine(folder, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def marker_processes(tmp_path: Path) -> Callable[[], list[psutil.Process]]:
    """Finds living processes whose command line holds the test's own folder."""

    def find() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["cmdline"]):
            if str(tmp_path / "stays") in " ".join(process.info["cmdline"] or []):
                found.append(process)
        return found

    return find


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    """Waits until a probe gives something true; gives that."""
    return until
