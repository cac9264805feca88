"""The training run: the engine does a little of everything while the JVM notes its classes."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from localcloud import probe
from localcloud.errors import PartError
from localcloud.kestra import family
from localcloud.ports import HOST, assign

_USER, _PASSWORD = "training@localhost", "none"
_READY_SECONDS = 600.0  # much longer than on an idle machine: it must not fail on a busy one
_END_SECONDS = 600.0  # it writes the archive then
_LOG_LINES = 25
# What flows usually have: a class that no flow here uses is read and verified at each first use.
_FLOW = """\
id: training
namespace: training
labels: {purpose: training}
inputs:
  - {id: name, type: STRING, defaults: engine, validator: '[a-z]+'}
  - {id: choice, type: SELECT, values: [one, two], defaults: one}
  - {id: list, type: JSON, defaults: '[{"a": 1}]'}
  - {id: sure, type: BOOL, defaults: true}
  - {id: count, type: INT, defaults: 1, min: 1, max: 8}
variables:
  name: "{{ (inputs.name ?? '') is empty ? 'nobody' : (inputs.name | slice(0, 3)) }}"
concurrency: {limit: 4, behavior: QUEUE}
sla:
  - {id: stuck, type: MAX_DURATION, duration: PT1H, behavior: FAIL, labels: {alarm: stuck}}
tasks:
  - id: label
    type: io.kestra.plugin.core.execution.Labels
    labels: {name: "{{ render(vars.name) }}"}
  - id: refused
    type: io.kestra.plugin.core.execution.Fail
    condition: "{{ render(vars.name) is empty }}"
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: Hello {{ inputs.name }} {{ kv('name', errorOnMissing=false) }}
  - id: shell
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    namespaceFiles: {enabled: true, include: [a.txt]}
    timeout: PT1M
    env: {EXECUTION: "{{ execution.id }}", TRY: "{{ taskrun.attemptsCount + 1 }}"}
    beforeCommands: [unset NOTHING]
    commands:
      - >-
        echo '::{"outputs":{"done":"yes"},"metrics":[{"name":"n","type":"counter","value":1}]}::'
  - id: chosen
    type: io.kestra.plugin.core.flow.If
    condition: "{{ outputs.shell.vars.done }}"
    then:
      - id: sequence
        type: io.kestra.plugin.core.flow.Sequential
        tasks:
          - id: retried
            type: io.kestra.plugin.scripts.python.Commands
            taskRunner: {type: io.kestra.plugin.core.runner.Process}
            retry: {type: constant, interval: PT1S, maxAttempts: 2}
            env: {FACTS: "{{ outputs.shell.vars | toJson }}"}
            commands: ["true"]
    else:
      - {id: exit, type: io.kestra.plugin.core.execution.Exit, state: WARNING}
  - id: switch
    type: io.kestra.plugin.core.flow.Switch
    value: "{{ inputs.count }}"
    cases:
      "1":
        - id: each
          type: io.kestra.plugin.core.flow.Loop
          values: "{{ inputs.list }}"
          concurrencyLimit: 1
          tasks:
            - {id: return, type: io.kestra.plugin.core.debug.Return, format: "{{ item.value }}"}
            - id: other
              type: io.kestra.plugin.core.flow.Subflow
              namespace: training
              flowId: other
              wait: true
              inheritLabels: true
              labels: {value: "{{ fromJson(item.value).a }}"}
              inputs: {text: "{{ item.value }}"}
errors:
  - id: failed
    type: io.kestra.plugin.core.log.Log
    message: "{{ errorLogs() | toJson | jq('[.[].message] | last') | first }}"
outputs:
  - {id: name, type: STRING, value: "{{ render(vars.name) }}"}
triggers:
  - {id: monthly, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 9 1 * *", disabled: true}
"""
_OTHER = """\
id: other
namespace: training
inputs:
  - {id: text, type: STRING}
tasks:
  - {id: hello, type: io.kestra.plugin.core.log.Log, message: "{{ inputs.text }}"}
"""


def run(command: list[str], folder: Path, template: Path) -> None:
    """Start the engine with `command` on an empty folder, use it, and end it.

    `template`: the archive that the engine leaves its database in, as it is before it is used.

    Raises PartError when it does not start, does not work or does not end.
    """
    with (folder / "log").open("w+") as log:
        ports = assign(["face", "controller"], {})
        settings = {
            "host": HOST,
            "port": ports["face"],
            "controllerPort": ports["controller"],
            "data": str(folder),
            "user": _USER,
            "password": _PASSWORD,
            "encryptionKey": base64.b64encode(bytes(32)).decode(),
            "bodyLimit": 1 << 20,
            "requestSeconds": 60,
            "workers": 4,
            "template": str(template),
        }
        with _engine(command, folder, log.fileno(), json.dumps(settings).encode()) as engine:
            try:
                _wait_until_ready(engine, ports["face"])
                _use(ports["face"])
                engine.terminate()
                _wait_until_ended(engine)
            except (OSError, ValueError, http.client.HTTPException) as error:
                log.seek(0)
                tail = "\n".join(log.read().splitlines()[-_LOG_LINES:])
                raise PartError("kestra", f"the training run failed: {error}", log=tail) from error


@contextlib.contextmanager
def _engine(
    command: list[str], folder: Path, log: int, settings: bytes
) -> Iterator[subprocess.Popen[bytes]]:
    engine = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        preexec_fn=family.dying_with_parent(signal.SIGKILL),
    )
    try:
        assert engine.stdin is not None  # noqa: S101 (a pipe was asked for)
        with contextlib.suppress(BrokenPipeError), engine.stdin as stdin:
            stdin.write(settings)
        yield engine
    finally:
        engine.kill()
        engine.wait()


def _wait_until_ready(engine: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if engine.poll() is not None:
            raise ValueError(f"the engine ended with exit code {engine.returncode}")
        with contextlib.suppress(ConnectionError):
            _call(port, "GET", "/configs")
            return
        time.sleep(0.1)
    raise ValueError(f"the engine did not answer in {_READY_SECONDS:.0f} s")


def _wait_until_ended(engine: subprocess.Popen[bytes]) -> None:
    try:
        engine.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        raise ValueError(f"the engine did not end in {_END_SECONDS:.0f} s") from None


def _use(port: int) -> None:
    yaml = {"Content-Type": "application/x-yaml"}
    _call(
        port, "PUT", "/main/namespaces/training/kv/name", b'"again"', {"Content-Type": "text/plain"}
    )
    _call(port, "POST", "/main/flows", _OTHER.encode(), yaml)
    _call(port, "POST", "/main/flows/validate", _FLOW.encode(), yaml)
    _call(port, "POST", "/main/flows", _FLOW.encode(), yaml)
    _call(port, "PUT", "/main/flows/training/training", _FLOW.encode() + b"description: x\n", yaml)
    _call(
        port, "POST", "/main/namespaces/training/files?path=/a.txt", *_form("fileContent", b"text")
    )
    done = json.loads(
        _call(port, "POST", "/main/executions/training/training?wait=true", *_form(None, b""))
    )
    if done["state"]["current"] != "SUCCESS":
        raise ValueError(f"the training flow ended {done['state']['current']}")
    for path in (f"/main/executions/{done['id']}", f"/main/logs/{done['id']}"):
        _call(port, "GET", path)
    for path in ("executions", "flows", "triggers"):
        _call(port, "GET", f"/main/{path}/search?size=5")
    _call(port, "GET", "/main/executions/search?size=5&filters[labels][EQUALS][name]=eng")


def _form(name: str | None, content: bytes) -> tuple[bytes, dict[str, str]]:
    boundary = "training-form"
    part = b""
    if name:
        disposition = f'form-data; name="{name}"; filename="a.txt"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n"
        part = head.encode() + content + b"\r\n"
    body = part + f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def _call(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    connection = http.client.HTTPConnection(HOST, port, timeout=_END_SECONDS)
    try:
        connection.request(
            method, f"/api/v1{path}", body, {**probe.login(_USER, _PASSWORD), **(headers or {})}
        )
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise ValueError(
            f"{method} {path} answered {answer.status}: {content.decode(errors='replace')}"
        )
    return content
