"""A Kestra server with the flows of these tests on it: what the kit expects of one is asked here.

The server is the one that KESTRA_URL, KESTRA_USER and KESTRA_PASSWORD name (it is written to:
everything happens in the namespace `contract`), otherwise the embedded engine.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud import ports
from localcloud.kestra import built
from localcloud.layout import default_cache
from taxistack.kestra import Execution, KestraClient, Unavailable

NAMESPACE = "contract"
USER = "admin@kestra.io"
STARTED_WITHIN = 60.0
"""Seconds; the engine takes 3 to 6 on two free cores."""

FLOWS = {
    "echo": """
inputs:
  - {id: text, type: STRING}
  - {id: number, type: INT, defaults: 7}
  - {id: list, type: JSON, required: false}
  - {id: file, type: FILE, required: false}
  - {id: choice, type: SELECT, values: [a, b], defaults: a}
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: "said {{ inputs.text }}"}
  - id: give
    type: io.kestra.plugin.core.debug.Return
    format: "{{ inputs.text }}-{{ inputs.number + 1 }}-{{ (inputs.list ?? []) | length }}"
outputs:
  - {id: given, type: STRING, value: "{{ outputs.give.value }}"}
""",
    "slow": """
tasks:
  - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT1M}
""",
    "failing": """
tasks:
  - {id: fails, type: io.kestra.plugin.core.execution.Fail, errorMessage: "on purpose",
     condition: "{{ kv('fail', errorOnMissing=false) == 'yes' }}"}
""",
    "looping": """
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.Loop
    values: "[1, 2, 3]"
    tasks:
      - id: child
        type: io.kestra.plugin.core.flow.Subflow
        namespace: contract
        flowId: echo
        inheritLabels: true
        labels: {nth: "n{{ item.value }}"}
        inputs: {text: "{{ item.value }}"}
""",
    "script": """
tasks:
  - id: run
    type: io.kestra.plugin.scripts.python.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    namespaceFiles: {enabled: true, include: ["code/**"]}
    env: {WORD: "{{ kv('word') }}"}
    commands:
      - python code/tool.py
""",
    "ticking": """
inputs:
  - {id: text, type: STRING, defaults: from the schedule}
tasks:
  - {id: say, type: io.kestra.plugin.core.log.Log, message: "{{ trigger.date }}"}
triggers:
  - id: monthly
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "0 9 1 * *"
    timezone: UTC
    recoverMissedSchedules: NONE
""",
}


def source(flow: str, body: str | None = None) -> str:
    return f"id: {flow}\nnamespace: {NAMESPACE}\n{body or FLOWS[flow]}"


def embedded_engine(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Start the embedded engine on free ports; URL, user, password."""
    assert built(default_cache()), "the engine is not built: run scripts/bootstrap"
    free = ports.assign(["port", "controller_port"], {})
    password = f"Contract-{secrets.token_hex(8)}1"
    config = folder / "kestra.json"
    config.touch(mode=0o600)
    config.write_text(
        json.dumps(
            {
                "host": "127.0.0.1",
                **free,
                "data": str(folder / "data"),
                "user": USER,
                "password": password,
                "cache": str(default_cache()),
                "path": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            }
        )
    )
    with (folder / "kestra.log").open("wb") as log:
        engine = subprocess.Popen(
            [sys.executable, "-m", "localcloud.kestra", str(config)], stdout=log, stderr=log
        )
    try:
        yield f"http://127.0.0.1:{free['port']}", USER, password
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.wait(30)


@pytest.fixture(scope="session")
def contract_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """URL, user and password of the server under test."""
    if url := os.environ.get("KESTRA_URL"):
        yield url, os.environ["KESTRA_USER"], os.environ["KESTRA_PASSWORD"]
    else:
        yield from embedded_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def client(contract_server: tuple[str, str, str]) -> Iterator[KestraClient]:
    """A client of the server, with the flows of these tests on it and nothing else."""
    with KestraClient(*contract_server) as made:
        eventually(lambda: answers(made), STARTED_WITHIN)
        clean(made)
        for flow in FLOWS:
            made.flows.create(source(flow))
        yield made
        clean(made)


def answers(client: KestraClient) -> bool:
    try:
        return bool(client.version())
    except Unavailable:
        return False


def clean(client: KestraClient) -> None:
    for flow in client.flows.list(NAMESPACE):
        client.flows.delete(NAMESPACE, flow["id"])
    for key in client.kv.list(NAMESPACE):
        client.kv.delete(NAMESPACE, key)
    for path in client.namespace_files.list(NAMESPACE):
        client.namespace_files.delete(NAMESPACE, path)


def eventually(check: Callable[[], object], seconds: float = 120.0) -> object:
    """The first true answer of `check`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return answer


def run(client: KestraClient, flow: str, inputs: dict | None = None, **more: object) -> Execution:
    started = client.executions.create(NAMESPACE, flow, inputs, **more)
    return client.executions.wait(started.id, timeout=60)
