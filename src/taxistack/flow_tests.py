"""A pytest plugin: any test gets a running Kestra engine, and runs flows on it.

    # pytest.ini, at the top of your tests
    [pytest]
    addopts = -p taxistack.flow_tests -p no:bqemulator

    # test_my_flow.py
    def test_it_greets(kestra):
        run = kestra.run("flows/my_flow.yaml", {"name": "Ada"})
        assert run.state == "SUCCESS"
        assert run.outputs["greeting"] == "Hello, Ada!"

The engine is Kestra's own, embedded, started once for the session and gone after it: no server, no
Docker, no stack. It has the types that the embedded engine has (docs/local-cloud.md); its tasks run
with the Python of the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from taxistack.errors import UsageError
from taxistack.kestra import KestraClient, LogLine

PATIENCE = 300.0
"""Seconds that a run may take unless told otherwise."""


@dataclass(frozen=True)
class Run:
    """A flow's execution that has ended."""

    id: str
    state: str
    """SUCCESS, WARNING, FAILED, KILLED, CANCELLED, …"""
    outputs: dict[str, Any]
    """What the flow declares under `outputs`."""
    tasks: dict[str, dict[str, Any]] = field(repr=False)
    """The outputs of each task by its id; of one that ran several times, those of its last run."""
    logs: list[LogLine] = field(repr=False)
    """The lines from INFO on, in time order."""

    @property
    def messages(self) -> list[str]:
        """The texts of the log's lines."""
        return [line.message for line in self.logs]

    @property
    def errors(self) -> list[str]:
        """The texts of the log's lines that are errors."""
        return [line.message for line in self.logs if line.level == "ERROR"]


class Kestra:
    """A running engine. `client` makes every call that the methods here do not."""

    def __init__(self, client: KestraClient, folder: Path) -> None:
        """`folder`: what relative paths are below."""
        self.client = client
        self.folder = folder

    def deploy(self, *flows: str | Path) -> None:
        """Store flows, given as files or as YAML text: those that a flow under test starts.

        Raises UsageError with the server's reason when it refuses one.
        """
        for flow in flows:
            self._store(flow)

    def run(
        self,
        flow: str | Path,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Mapping[str, str | Path] | None = None,
        labels: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
    ) -> Run:
        """Store a flow (a file, or YAML text with a line break), run it, wait for its end.

        `inputs`: by name; text goes as it is, anything else as JSON. `files`: inputs of type FILE.
        Raises UsageError when the server refuses the flow, `Invalid` when it refuses an input,
        `Unavailable` after `timeout` seconds.
        """
        namespace, name = self._store(flow)
        paths = {key: self._path(path) for key, path in (files or {}).items()}
        started = self.client.executions.create(namespace, name, inputs, files=paths, labels=labels)
        ended = self.client.executions.wait(started.id, timeout)
        return Run(
            id=ended.id,
            state=ended.state,
            outputs=self.client.outputs.flow(ended.id),
            tasks=self.client.outputs.tasks(ended.id),
            logs=self.client.logs(ended.id),
        )

    def put_pairs(self, namespace: str, **pairs: Any) -> None:
        """Set KV pairs, which flows read by `kv('name')`."""
        for key, value in pairs.items():
            self.client.kv.put(namespace, key, value)

    def put_files(self, namespace: str, folder: str | Path) -> None:
        """Put the files below a folder into the namespace, below the folder's own name."""
        top = self._path(folder)
        for path in sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = f"{top.name}/{path.relative_to(top).as_posix()}"
                self.client.namespace_files.put(namespace, name, path.read_bytes())

    def _path(self, path: str | Path) -> Path:
        return self.folder / Path(path).expanduser()

    def _store(self, flow: str | Path) -> tuple[str, str]:
        is_text = isinstance(flow, str) and "\n" in flow
        source = str(flow) if is_text else self._path(flow).read_text(encoding="utf-8")
        called = "the flow" if is_text else str(flow)
        if reasons := self.client.flows.validate(source):
            raise UsageError(f"{called}: the server refuses it: {'; '.join(reasons)}")
        content = yaml.safe_load(source)
        namespace, name = str(content["namespace"]), str(content["id"])
        stored = self.client.flows.get(namespace, name)
        if stored is None:
            self.client.flows.create(source)
        elif stored.get("source") != source:
            self.client.flows.update(namespace, name, source)
        return namespace, name


@pytest.fixture(scope="session")
def kestra_secrets() -> Mapping[str, str]:
    """What `secret('NAME')` gives in flows under test; override it in your conftest.py."""
    return {}


@pytest.fixture(scope="session")
def kestra_environment() -> Mapping[str, str]:
    """Variables of the engine's environment (ENV_… for `envs`); override it in your conftest.py."""
    return {}


@pytest.fixture(scope="session")
def kestra(
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    kestra_secrets: Mapping[str, str],
    kestra_environment: Mapping[str, str],
) -> Iterator[Kestra]:
    """A running engine for the session. Paths are below pytest's root folder."""
    # Only here: a session that asks for no engine loads no local cloud
    from localcloud.kestra.standalone import engine

    folder = tmp_path_factory.mktemp("kestra")
    with (
        engine(folder, known_secrets=kestra_secrets, environment=kestra_environment) as running,
        KestraClient(running.url, running.user, running.password) as client,
    ):
        yield Kestra(client, pytestconfig.rootpath)
