"""What the kit expects of a Kestra server, asked through its client.

Against the server that KESTRA_URL, KESTRA_USER and KESTRA_PASSWORD name (it is written to:
everything happens in the namespace `contract`), otherwise against the embedded engine.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pydantic
import pytest

from localcloud import ports
from localcloud.kestra import built
from localcloud.layout import default_cache
from taxistack.backfill import executions as backfill
from taxistack.kestra import (
    Conflict,
    Execution,
    Invalid,
    KestraClient,
    KestraError,
    NotFound,
    NotOffered,
    Unauthorized,
    Unavailable,
)

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """URL, user and password of the server under test."""
    if url := os.environ.get("KESTRA_URL"):
        yield url, os.environ["KESTRA_USER"], os.environ["KESTRA_PASSWORD"]
    else:
        yield from embedded_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def client(server: tuple[str, str, str]) -> Iterator[KestraClient]:
    """A client of the server, with the flows of these tests on it and nothing else."""
    with KestraClient(*server) as made:
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


class TestServer:
    def test_it_is_kestra_2(self, client):
        assert client.version().startswith("2.")

    @pytest.mark.parametrize("password", ["", "Wrong-password-1"])
    def test_a_wrong_password_is_refused(self, client, server, password):
        with KestraClient(server[0], server[1], password) as other, pytest.raises(Unauthorized):
            other.flows.list(NAMESPACE)

    @pytest.mark.parametrize("password", ["", "Wrong-password-1"])
    def test_the_version_proves_no_password_and_being_ready_does(self, client, server, password):
        with KestraClient(server[0], server[1], password) as other:
            assert other.version() == client.ready()
            with pytest.raises(Unauthorized):
                other.ready()

    def test_every_call_but_for_the_version_needs_credentials(self, client, server):
        assert httpx.get(f"{server[0]}/api/v1/configs").status_code == 200
        for path in ("main/flows/taxi", "main/executions/search"):
            assert httpx.get(f"{server[0]}/api/v1/{path}").status_code == 401

    @pytest.mark.skipif("KESTRA_URL" in os.environ, reason="a full server offers every call")
    def test_what_the_embedded_engine_lacks_says_so(self, client):
        with pytest.raises(NotOffered):
            client._http.json("main/dashboards", "read dashboards")


ROUTES = """
    GET    configs                                     application/json
    POST   main/flows                                  application/json          application/x-yaml
    POST   main/flows/validate                         application/json          application/x-yaml
    GET    main/flows/search                           application/json
    GET    main/flows/contract                         application/json
    GET    main/flows/contract/echo                    application/json
    GET    main/flows/contract/echo/graph              application/json
    PUT    main/flows/contract/echo                    application/json          application/x-yaml
    DELETE main/flows/contract/nowhere                 application/json          application/json
    GET    main/executions/search                      application/json
    POST   main/executions/contract/echo               application/json          multipart/form-data
    GET    main/executions/{id}                        application/json
    GET    main/executions/{id}/follow                 text/event-stream
    GET    main/executions/{id}/file                   application/octet-stream
    DELETE main/executions/{id}/actions/kill           text/json                 application/json
    POST   main/executions/{id}/actions/restart        application/json          application/json
    POST   main/executions/{id}/actions/replay         application/json          application/json
    DELETE main/executions/nothing                     application/json          application/json
    GET    main/logs/{id}                              application/json
    GET    main/outputs/executions/{id}                application/json
    GET    main/outputs/tasks/{id}                     application/json
    GET    main/outputs/tasks/{id}/{run}               application/json
    GET    main/kv                                     application/json
    GET    main/namespaces/contract/kv/typed           application/json
    PUT    main/namespaces/contract/kv/typed           application/json          text/plain
    DELETE main/namespaces/contract/kv/nothing         application/json          application/json
    GET    main/namespaces/contract/files              application/octet-stream
    POST   main/namespaces/contract/files              application/json          multipart/form-data
    DELETE main/namespaces/contract/files              application/json          application/json
    GET    main/namespaces/contract/files/directory    application/json
    GET    main/triggers/search                        application/json
    PUT    main/triggers/set-disabled                  application/json          application/json
    PUT    main/triggers/backfill/create               application/json          application/json
    PUT    main/triggers/backfill/pause                application/json          application/json
    PUT    main/triggers/backfill/unpause              application/json          application/json
    POST   main/triggers/backfill/delete               application/json          application/json
"""
"""Every route that the kit calls: the media type that it makes and the one that it takes."""

Route = tuple[str, str, str, str | None]


def routes() -> list[Route]:
    fields = [line.split() for line in ROUTES.strip().splitlines()]
    return [(one[0], one[1], one[2], one[3] if len(one) > 3 else None) for one in fields]


def named(route: Route) -> str:
    return f"{route[0]} {route[1]}"


@pytest.fixture(scope="module")
def ended(client: KestraClient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An execution with a file and a task run with outputs, by the names in `ROUTES`."""
    client.kv.put(NAMESPACE, "typed", "x")
    client.namespace_files.put(NAMESPACE, "typed.txt", b"x")
    path = tmp_path_factory.mktemp("input") / "data.bin"
    path.write_bytes(b"x")
    done = run(client, "echo", {"text": "a"}, files={"file": path})
    (give,) = [one["id"] for one in done.task_runs if one["taskId"] == "give"]
    return {"id": done.id, "run": give, "file": done.inputs["file"]}


class TestMediaTypes:
    """Each route against right and wrong headers; a read is made whole, a write without a body."""

    def ask(self, server, ended, route: Route, **headers: str) -> httpx.Response:
        verb, path, *_ = route
        params = {"path": ended["file"]} if path.endswith("/file") else {"path": "/typed.txt"}
        if path.endswith("/directory"):
            params = {"path": "/"}
        if verb == "DELETE":
            params = {"path": "/nothing.txt"}
        with httpx.stream(
            verb,
            f"{server[0]}/api/v1/{path.format(**ended)}",
            params=params if "file" in path else {},
            headers=headers,
            auth=server[1:],
            timeout=60,
        ) as answer:
            answer.read()
        return answer

    @pytest.mark.parametrize("accept", [None, "*/*", "{makes}", "image/png, {makes};q=0.5"])
    @pytest.mark.parametrize("route", [one for one in routes() if one[0] == "GET"], ids=named)
    def test_a_read_makes_its_type_for_who_takes_it(self, server, ended, route, accept):
        headers = {"Accept": accept.format(makes=route[2]) if accept else ""}
        answer = self.ask(server, ended, route, **headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].split(";")[0] == route[2]

    @pytest.mark.parametrize("route", routes(), ids=named)
    def test_who_takes_only_other_types_gets_nothing(self, server, ended, route):
        for accept in ("image/png", f"{route[2].split('/')[0]}/*", "application/problem+json"):
            assert self.ask(server, ended, route, Accept=accept).status_code == 406, accept

    @pytest.mark.parametrize("route", [one for one in routes() if one[3]], ids=named)
    def test_a_body_of_another_type_is_refused(self, server, ended, route):
        for kind in ("application/xml", "application/*"):
            answer = self.ask(server, ended, route, **{"Content-Type": kind})
            assert answer.status_code == 415, kind

    @pytest.mark.parametrize("route", [one for one in routes() if one[3]], ids=named)
    def test_the_right_types_are_not_what_a_write_fails_by(self, server, ended, route):
        kind = f"{route[3]}; boundary=x" if "multipart" in route[3] else route[3]
        headers = {"Accept": f"{route[2]}, application/problem+json", "Content-Type": kind}
        assert self.ask(server, ended, route, **headers).status_code not in (406, 415)


class TestFlows:
    def test_a_flow_is_made_read_changed_and_removed(self, client):
        text = source("coming", FLOWS["slow"])
        # A server counts on where a flow of that name, removed by now, had stopped.
        first = client.flows.create(text)["revision"]
        stored = client.flows.get(NAMESPACE, "coming")
        assert (stored["source"], stored["revision"]) == (text, first)
        changed = f"{text}\n# a remark\n"
        assert client.flows.update(NAMESPACE, "coming", changed)["revision"] == first + 1
        assert client.flows.get(NAMESPACE, "coming")["source"] == changed
        client.flows.delete(NAMESPACE, "coming")
        assert client.flows.get(NAMESPACE, "coming") is None

    def test_an_equal_source_makes_no_new_revision(self, client):
        before = client.flows.get(NAMESPACE, "slow")["revision"]
        client.flows.update(NAMESPACE, "slow", source("slow"))
        assert client.flows.get(NAMESPACE, "slow")["revision"] == before

    def test_flows_are_listed_and_searched(self, client):
        assert {one["id"] for one in client.flows.list(NAMESPACE)} == set(FLOWS)
        found = client.flows.search(namespace=NAMESPACE, size=2)
        assert sorted(one["id"] for one in found) == sorted(FLOWS)
        assert [one["id"] for one in client.flows.search(flow_id="echo")] == ["echo"]

    def test_a_flow_is_a_graph_of_its_tasks(self, client):
        graph = client.flows.graph(NAMESPACE, "looping")
        tasks = {(one.get("task") or {}).get("id") for one in graph["nodes"]}
        assert {"each", "child"} <= tasks
        ends = {end for edge in graph["edges"] for end in (edge["source"], edge["target"])}
        assert ends <= {one["uid"] for one in graph["nodes"]}
        with pytest.raises(NotFound):
            client.flows.graph(NAMESPACE, "nowhere")

    def test_a_namespace_without_flows_has_none(self, client):
        assert client.flows.list("contract.nobody") == []

    def test_validation_says_why(self, client):
        assert client.flows.validate(source("slow")) == []
        assert "tasks" in client.flows.validate(source("x", "tasks: []"))[0]
        unknown = source("x", "tasks: [{id: a, type: io.kestra.plugin.core.Nothing}]")
        assert client.flows.validate(unknown)
        removed = source("x", FLOWS["slow"] + "pluginDefaults: []\n")
        assert "pluginDefaults" in client.flows.validate(removed)[0]

    def test_wrong_flows_are_refused(self, client):
        with pytest.raises(Conflict):
            client.flows.create(source("echo"))
        with pytest.raises(Invalid):
            client.flows.create(source("wrong", "tasks: []"))
        with pytest.raises(NotFound):
            client.flows.update(NAMESPACE, "nowhere", source("nowhere", FLOWS["slow"]))
        with pytest.raises(Invalid):
            client.flows.update(NAMESPACE, "slow", source("echo"))
        with pytest.raises(NotFound):
            client.flows.delete(NAMESPACE, "nowhere")


class TestExecutions:
    def test_inputs_of_every_kind_arrive_and_outputs_come_back(self, client):
        done = run(client, "echo", {"text": "ü & =", "number": 41, "list": [1, 2]})
        assert done.state == "SUCCESS"
        assert done.inputs["list"] == [1, 2]
        assert client.outputs.flow(done.id) == {"given": "ü & =-42-2"}
        assert client.outputs.tasks(done.id)["give"] == {"value": "ü & =-42-2"}
        assert [one["taskId"] for one in done.task_runs] == ["say", "give"]
        assert done.start <= done.end

    def test_waiting_on_the_server_gives_the_ended_execution(self, client):
        done = client.executions.create(NAMESPACE, "echo", {"text": "a"}, wait=True, timeout=60)
        assert done.succeeded

    def test_a_file_goes_in_and_comes_out(self, client, tmp_path):
        content = os.urandom(300_000)
        (tmp_path / "data.bin").write_bytes(content)
        done = run(client, "echo", {"text": "a"}, files={"file": tmp_path / "data.bin"})
        assert client.files.download(done.id, done.inputs["file"]) == content
        with pytest.raises((NotFound, Invalid)):
            client.files.download(done.id, f"{done.inputs['file']}x")

    @pytest.mark.parametrize(
        "inputs", [{}, {"text": "a", "number": "many"}, {"text": "a", "choice": "c"}]
    )
    def test_wrong_inputs_are_refused(self, client, inputs):
        with pytest.raises(Invalid):
            client.executions.create(NAMESPACE, "echo", inputs)

    def test_what_is_not_there_is_not_found(self, client):
        with pytest.raises(NotFound):
            client.executions.create(NAMESPACE, "nowhere")
        with pytest.raises(NotFound):
            client.executions.get("nowhere")
        assert client.logs("nowhere") == []

    def test_a_disabled_flow_does_not_start(self, client):
        client.flows.create(source("off", FLOWS["slow"] + "disabled: true\n"))
        with pytest.raises(KestraError):
            client.executions.create(NAMESPACE, "off")
        client.flows.delete(NAMESPACE, "off")

    def test_inputs_over_a_mebibyte_are_refused(self, client):
        with pytest.raises(KestraError):
            client.executions.create(NAMESPACE, "echo", {"text": "x" * (1 << 20)})

    def test_log_lines_have_task_and_level(self, client):
        done = run(client, "echo", {"text": "hello"})
        lines = eventually(lambda: client.logs(done.id))
        assert [(one.level, one.task_id, one.message) for one in lines] == [
            ("INFO", "say", "said hello")
        ]
        assert client.logs(done.id, "ERROR") == []

    def test_a_missing_pair_is_told_in_the_words_that_a_backfill_understands(self, client):
        body = (
            "tasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: \"{{ kv('gone') }}\"}]"
        )
        client.flows.create(source("pairless", body))
        failed = run(client, "pairless")
        client.flows.delete(NAMESPACE, "pairless")
        assert failed.state == "FAILED"
        wanted = f"KV pair `gone` of namespace {NAMESPACE} is missing: invoke deploy-flows"
        assert backfill.Executions(client).reason(failed.id) == wanted

    def test_following_ends_with_the_execution(self, client):
        started = client.executions.create(NAMESPACE, "echo", {"text": "a"})
        states = [one.state for one in client.executions.follow(started.id, timeout=60)]
        assert states[-1] == "SUCCESS"

    def test_the_server_streams_changes(self, client):
        """Not by polling: the stream itself must end with the ended execution."""
        started = client.executions.create(NAMESPACE, "echo", {"text": "a"})
        states = [one.state for one in client.executions._stream(started.id, None)]
        assert states[-1] == "SUCCESS"

    def test_a_running_execution_is_killed(self, client):
        started = client.executions.create(NAMESPACE, "slow")
        eventually(lambda: client.executions.get(started.id).state == "RUNNING")
        client.executions.kill(started.id)
        assert client.executions.wait(started.id, timeout=120).state == "KILLED"
        client.executions.kill(started.id)

    def test_a_failed_execution_runs_again_under_its_id(self, client):
        client.kv.put(NAMESPACE, "fail", "yes")
        failed = run(client, "failing")
        assert failed.state == "FAILED"
        (line, *_) = eventually(lambda: client.logs(failed.id, "ERROR"))
        assert "on purpose" in line.message
        client.kv.put(NAMESPACE, "fail", "no")
        assert client.executions.restart(failed.id).id == failed.id
        again = eventually(lambda: (one := client.executions.get(failed.id)).succeeded and one)
        assert again.attempt == 2
        with pytest.raises(Conflict):
            client.executions.restart(failed.id)

    def test_a_run_is_replayed_as_a_new_one(self, client):
        done = run(client, "echo", {"text": "a"})
        again = client.executions.replay(done.id)
        assert again.id != done.id
        assert client.executions.wait(again.id, timeout=60).inputs["text"] == "a"

    def test_the_log_is_followed_to_its_end(self, client):
        started = client.executions.create(NAMESPACE, "echo", {"text": "hello"})
        lines = [one.message for one in client.logs.follow(started.id)]
        assert lines == ["said hello"]

    def test_an_execution_is_removed(self, client):
        done = run(client, "echo", {"text": "a"})
        client.executions.delete(done.id)
        with pytest.raises(NotFound):
            client.executions.get(done.id)


class TestSearch:
    def test_by_labels_state_flow_and_start(self, client):
        mark, before = secrets.token_hex(4), datetime.now(UTC)
        for taxi in ("green", "yellow", "yellow"):
            run(client, "echo", {"text": "a"}, labels={"mark": mark, "taxi": taxi, "q": "a:b c"})

        def found(**what: object) -> int:
            return len([*client.executions.search(namespace=NAMESPACE, **what)])

        eventually(lambda: found(labels={"mark": mark}) == 3)
        assert found(labels={"mark": mark, "taxi": "yellow"}) == 2
        assert found(labels={"mark": mark, "q": "a:b c"}) == 3
        assert found(labels={"mark": mark}, states=["SUCCESS", "FAILED"]) == 3
        assert found(labels={"mark": mark}, states=["RUNNING"]) == 0
        assert found(labels={"mark": mark}, flow_id="slow") == 0
        assert found(labels={"mark": mark}, start_after=before) == 3
        assert found(labels={"mark": mark}, start_after=datetime(2999, 1, 1, tzinfo=UTC)) == 0
        assert found(labels={"mark": f"{mark}x"}) == 0

    def test_pages_join_in_the_order_that_was_asked_for(self, client):
        mark = secrets.token_hex(4)
        ids = [run(client, "echo", {"text": "a"}, labels={"mark": mark}).id for _ in range(5)]

        def found(sort: str) -> list[str]:
            hits = client.executions.search(labels={"mark": mark}, page_size=2, sort=sort)
            return [one.id for one in hits]

        eventually(lambda: len(found("state.startDate:asc")) == 5)
        assert found("state.startDate:asc") == ids
        assert found("state.startDate:desc") == ids[::-1]

    def test_children_of_a_loop_are_found_by_inherited_labels_and_iterations_left_out(self, client):
        mark = secrets.token_hex(4)
        assert run(client, "looping", labels={"mark": mark}).succeeded

        def found() -> list[tuple[str, str]]:
            hits = client.executions.search(labels={"mark": mark})
            return sorted((one.flow_id, one.labels.get("nth", "")) for one in hits)

        wanted = [("echo", "n1"), ("echo", "n2"), ("echo", "n3"), ("looping", "")]
        eventually(lambda: found() == wanted)


class TestNamespace:
    @pytest.mark.parametrize(
        "value", ["text", "", "12", "true", "2019-01-01", 'say "hi"\n', 12, True, {"a": [1]}]
    )
    def test_a_value_comes_back_as_it_went(self, client, value):
        client.kv.put(NAMESPACE, "value", value)
        assert client.kv.get(NAMESPACE, "value") == value

    def test_keys_are_listed_and_removed(self, client):
        for key in ("one", "two"):
            client.kv.put(NAMESPACE, key, "x")
        assert {"one", "two"} <= set(client.kv.list(NAMESPACE))
        client.kv.delete(NAMESPACE, "one")
        assert "one" not in client.kv.list(NAMESPACE)
        assert client.kv.get(NAMESPACE, "one") is None
        client.kv.delete(NAMESPACE, "one")

    def test_files_are_written_replaced_listed_and_removed(self, client):
        files = client.namespace_files
        content = bytes(range(256)) * 100
        files.put(NAMESPACE, "deep/er/data.bin", content)
        files.put(NAMESPACE, "top.txt", b"1")
        files.put(NAMESPACE, "top.txt", b"2")
        files.put(NAMESPACE, "empty.txt", b"")
        assert files.get(NAMESPACE, "deep/er/data.bin") == content
        assert files.get(NAMESPACE, "top.txt") == b"2"
        assert files.get(NAMESPACE, "empty.txt") == b""
        wanted = {"deep/er/data.bin", "top.txt", "empty.txt"}
        assert wanted <= set(files.list(NAMESPACE))
        for path in wanted:
            files.delete(NAMESPACE, path)
        assert not wanted & set(files.list(NAMESPACE))
        assert files.get(NAMESPACE, "top.txt") is None

    def test_a_script_gets_its_files_and_gives_outputs(self, client):
        tool = b"""import os
print('::{"outputs":{"word":"%s","list":[1,2]}}::' % os.environ["WORD"])
"""
        client.namespace_files.put(NAMESPACE, "code/tool.py", tool)
        client.kv.put(NAMESPACE, "word", "ahoy")
        done = run(client, "script")
        assert done.succeeded
        assert client.outputs.tasks(done.id)["run"]["vars"] == {"word": "ahoy", "list": [1, 2]}


class TestTriggers:
    def trigger(self, client):
        found = client.triggers.search(namespace=NAMESPACE, flow_id="ticking")
        return found[0] if found else None

    def test_a_trigger_shows_up_and_is_switched_off_and_on(self, client):
        one = eventually(lambda: self.trigger(client))
        assert (one.flow_id, one.trigger_id, one.disabled) == ("ticking", "monthly", False)
        for disabled in (True, False):
            client.triggers.set_disabled(NAMESPACE, "ticking", "monthly", disabled)
            eventually(lambda: self.trigger(client).disabled is disabled)  # noqa: B023 at once
        assert [one.trigger_id for one in client.triggers.search(namespace=NAMESPACE)] == [
            "monthly"
        ]
        with pytest.raises(NotFound):
            client.triggers.set_disabled(NAMESPACE, "ticking", "nothing", True)

    def test_a_backfill_runs_every_tick_with_its_labels_and_inputs(self, client):
        mark = secrets.token_hex(4)
        client.triggers.backfill(
            NAMESPACE,
            "ticking",
            "monthly",
            datetime(2019, 1, 1, tzinfo=UTC),
            datetime(2019, 3, 1, 9, tzinfo=UTC),
            inputs={"text": "from the backfill"},
            labels={"mark": mark},
        )

        def ended() -> list[Execution]:
            hits = [*client.executions.search(flow_id="ticking", labels={"mark": mark})]
            return hits if len(hits) == 3 and all(one.terminated for one in hits) else []

        hits = eventually(ended)
        assert {one.trigger_date for one in hits} == {
            datetime(2019, month, 1, 9, tzinfo=UTC) for month in (1, 2, 3)
        }
        assert {(one.state, one.inputs["text"]) for one in hits} == {
            ("SUCCESS", "from the backfill")
        }
        eventually(lambda: self.trigger(client).backfill is None)

    def test_a_backfill_is_held_refuses_a_second_one_and_is_given_up(self, client):
        ids = (NAMESPACE, "ticking", "monthly")
        span = (datetime(1990, 1, 1, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC))
        client.triggers.backfill(*ids, *span)
        eventually(lambda: self.trigger(client).backfill)
        client.triggers.pause_backfill(*ids)
        eventually(lambda: self.trigger(client).backfill["paused"])
        with pytest.raises(Conflict):
            client.triggers.backfill(*ids, *span)
        client.triggers.unpause_backfill(*ids)
        eventually(lambda: not self.trigger(client).backfill["paused"])
        client.triggers.delete_backfill(*ids)
        eventually(lambda: self.trigger(client).backfill is None)
        client.triggers.pause_backfill(*ids)
        client.triggers.delete_backfill(*ids)


@pytest.fixture(scope="module")
def sdk(client: KestraClient, server: tuple[str, str, str]):
    """The official SDK as a client of the same server."""
    url, user, password = server
    with warnings.catch_warnings():
        # Its models shadow a method of pydantic's, which says so at import.
        warnings.filterwarnings("ignore", message="Field name .* shadows", category=UserWarning)
        import kestrapy
    return kestrapy.KestraClient(host=url, username=user, password=password, timeout=30)


NO_SUCH_FIELDS = {"getDuration", "getStartDate", "getEndDate"}
"""What kestrapy's model of a state asks for and no server sends."""


def refused_fields(model: str, answer: dict) -> set[str]:
    """The fields for which the SDK's own model refuses an answer; "inputs" for any input."""
    module = importlib.import_module(f"kestrapy.models.{model}")
    name = model.replace("_", "")
    (kind,) = [one for key, one in vars(module).items() if key.lower() == name]
    try:
        kind.model_validate(answer)
    except pydantic.ValidationError as error:
        places = [one["loc"] for one in error.errors()]
        return {"inputs" if place[0] == "inputs" else str(place[-1]) for place in places}
    return set()


def where(field: str, value: object) -> list[dict]:
    """A filter as the SDK takes it."""
    return [{"field": field, "operation": "EQUALS", "value": value}]


class TestOfficialSdk:
    """kestrapy 2.0.3 against the same server: a second opinion on paths and shapes.

    What it cannot parse: a state, wherever one stands (`NO_SUCH_FIELDS`), and in two models of an
    execution the inputs, which it takes for a map of maps. It falls back to a model that checks
    nothing then, so that its own checks are made here.
    """

    def test_flows(self, sdk):
        text = source("by_sdk", FLOWS["slow"])
        first = sdk.flows.create_flow("main", text).revision
        assert sdk.flows.flow(NAMESPACE, "by_sdk", "main", source=True).source == text
        changed = sdk.flows.update_flow(NAMESPACE, "by_sdk", "main", f"{text}\n# x")
        assert changed.revision == first + 1
        assert sdk.flows.validate_flows("main", text)[0].constraints is None
        assert "by_sdk" in [one.id for one in sdk.flows.list_flows_by_namespace(NAMESPACE, "main")]
        sdk.flows.delete_flow(NAMESPACE, "by_sdk", "main")
        with pytest.raises(importlib.import_module("kestrapy.exceptions").NotFoundException):
            sdk.flows.flow(NAMESPACE, "by_sdk", "main")

    def test_executions(self, sdk):
        started = sdk.executions.create_execution(
            "main",
            NAMESPACE,
            "echo",
            labels=["by:sdk"],
            wait=True,
            inputs={"text": "a", "number": 1},
        )
        read = sdk.executions.execution(started.id, "main")
        assert read.state.current == "SUCCESS"
        assert sdk.outputs.execution_outputs(started.id, "main") == {"given": "a-2-0"}
        known = sdk.outputs.task_outputs_information(started.id, "main")
        assert [one.task_id for one in known] == ["give"]
        lines = eventually(lambda: sdk.logs.list_logs_from_execution(started.id, "main"))
        assert [one.message for one in lines]
        followed = [*sdk.executions.follow_execution(started.id, "main")]
        assert followed[-1].state.current == "SUCCESS"
        sdk.executions.delete_execution(started.id, "main")

    def test_restart(self, sdk, client):
        client.kv.put(NAMESPACE, "fail", "yes")
        failed = run(client, "failing")
        assert sdk.executions.restart_execution(failed.id, "main").id == failed.id
        assert client.executions.wait(failed.id, timeout=60).attempt == 2

    def test_kill_and_search(self, sdk, client):
        mark = secrets.token_hex(4)
        started = sdk.executions.create_execution("main", NAMESPACE, "slow", labels=[f"by:{mark}"])
        eventually(lambda: client.executions.get(started.id).state == "RUNNING")
        sdk.executions.kill_execution(started.id, "main")
        assert client.executions.wait(started.id, timeout=120).state == "KILLED"
        found = sdk.executions.search_executions("main", filters=where("labels", {"by": mark}))
        assert [one["id"] for one in found["results"]] == [started.id]

    def test_namespace(self, sdk):
        sdk.kv.set_key_value(NAMESPACE, "by_sdk", "main", '"text"')
        assert sdk.kv.key_value(NAMESPACE, "by_sdk", "main").value == "text"
        keys = sdk.kv.list_all_keys("main", size=100, filters=where("namespace", NAMESPACE))
        assert "by_sdk" in [one.key for one in keys.results]
        sdk.kv.delete_key_value(NAMESPACE, "by_sdk", "main")
        sdk.files.create_namespace_file(NAMESPACE, "/by_sdk.txt", "main", b"1")
        assert sdk.files.file_content(NAMESPACE, "/by_sdk.txt", "main") == b"1"
        listed = sdk.files.list_namespace_directory_files(NAMESPACE, "main", "/")
        assert "by_sdk.txt" in [one.file_name for one in listed]
        sdk.files.delete_file_directory(NAMESPACE, "/by_sdk.txt", "main")

    def test_triggers_and_what_they_start(self, sdk, client):
        eventually(lambda: client.triggers.search(flow_id="ticking"))
        found = sdk.triggers.search_triggers("main", filters=where("namespace", NAMESPACE))
        assert [one["state"]["triggerId"] for one in found["results"]] == ["monthly"]
        moment, mark = datetime(2018, 1, 1, 9, tzinfo=UTC), secrets.token_hex(4)
        ids = (NAMESPACE, "ticking", "monthly")
        client.triggers.backfill(*ids, moment, moment, labels={"mark": mark})
        started = eventually(lambda: [*client.executions.search(labels={"mark": mark})])
        read = sdk.executions.execution(started[0].id, "main")
        assert read.trigger.variables["date"].startswith("2018-01-01T09:00")

    def test_the_answers_are_what_its_models_say_but_for_states(self, sdk, client):
        done = client.executions.create(NAMESPACE, "echo", {"text": "a"}, wait=True, timeout=60)
        read = client.executions.get(done.id)
        (found,) = client.executions.search(labels={"system.correlationId": done.id})
        for model, answer, more in (
            ("execution_controller_execution_response", done, set()),
            ("api_execution", read, {"inputs"}),
            ("api_light_execution", found, {"inputs"}),
        ):
            assert refused_fields(model, answer.raw) == NO_SUCH_FIELDS | more, model
        flow = client.flows.get(NAMESPACE, "slow")
        assert refused_fields("flow_with_source", flow) == set()
        trigger = eventually(lambda: client.triggers.search(flow_id="ticking"))[0]
        assert refused_fields("api_trigger_and_state", trigger.raw) == set()
