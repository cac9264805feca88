"""Flows, key-value pairs, namespace files, triggers, logs and outputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from taxistack.errors import UsageError
from taxistack.kestra import Conflict, NotFound

FLOW = "main/flows/taxi/hello"
KEY = "main/namespaces/taxi/kv/source"
FILES = "main/namespaces/taxi/files"


def test_a_flow_goes_out_as_yaml_and_comes_back_with_its_source(client, server):
    server.on("POST", "main/flows", json={"id": "hello"})
    server.on("GET", FLOW, json={"id": "hello", "source": "id: hello"})
    client.flows.create("id: hello")
    sent = server.sent("POST", "main/flows")[0]
    assert (sent.headers["Content-Type"], sent.content) == ("application/x-yaml", b"id: hello")
    assert client.flows.get("taxi", "hello")["source"] == "id: hello"
    assert server.sent("GET", FLOW)[0].url.params["source"] == "true"


def test_a_flow_that_is_not_there_is_none_and_one_that_is_there_a_conflict(client, server):
    assert client.flows.get("taxi", "hello") is None
    server.on("POST", "main/flows", 409, json={"detail": "exists"})
    with pytest.raises(Conflict):
        client.flows.create("id: hello")


def test_validate_gives_the_reasons(client, server):
    answer = [{"index": 0, "constraints": "tasks: must not be empty\n"}, {"index": 1}]
    server.on("POST", "main/flows/validate", json=answer)
    assert client.flows.validate("id: x") == ["tasks: must not be empty"]


@pytest.mark.parametrize("value", ["text", "12", "true", "2019-01-01", "", 'a "b"', 12, {"a": 1}])
def test_a_value_is_sent_as_json_so_that_text_stays_text(client, server, value):
    server.on("PUT", KEY, 200)
    client.kv.put("taxi", "source", value)
    assert json.loads(server.sent("PUT", KEY)[0].content) == value


@pytest.mark.parametrize("status", [404, 410])
def test_a_key_that_is_missing_or_expired_is_none(client, server, status):
    server.on("GET", KEY, status)
    assert client.kv.get("taxi", "source") is None


def test_keys_are_listed_over_all_pages(client, server):
    server.on("GET", "main/kv", json={"results": [{"key": "b"}], "total": 2})
    server.on("GET", "main/kv", json={"results": [{"key": "a"}], "total": 2})
    assert client.kv.list("taxi") == ["a", "b"]
    assert server.sent("GET", "main/kv")[0].url.params["filters[namespace][EQUALS]"] == "taxi"


def test_files_are_listed_through_folders(client, server):
    top = [{"fileName": "taxi_etl", "type": "Directory"}, {"fileName": "a.sql", "type": "File"}]
    server.on("GET", f"{FILES}/directory", json=top)
    server.on("GET", f"{FILES}/directory", json=[{"fileName": "cli.py", "type": "File"}])
    assert client.namespace_files.list("taxi") == ["a.sql", "taxi_etl/cli.py"]
    asked = [one.url.params["path"] for one in server.sent("GET", f"{FILES}/directory")]
    assert asked == ["/", "/taxi_etl"]


def test_a_namespace_without_files_has_none(client):
    assert client.namespace_files.list("taxi") == []
    assert client.namespace_files.get("taxi", "x.py") is None
    client.namespace_files.delete("taxi", "x.py")
    client.kv.delete("taxi", "source")


def test_a_file_is_written_as_a_form_part(client, server):
    server.on("POST", FILES, 200)
    client.namespace_files.put("taxi", "taxi_etl/cli.py", b"print()")
    sent = server.sent("POST", FILES)[0]
    assert sent.url.params["path"] == "/taxi_etl/cli.py"
    assert b'name="fileContent"; filename="cli.py"' in sent.read()
    assert b"print()" in sent.read()


START, END = datetime(2019, 1, 1, tzinfo=UTC), datetime(2019, 4, 2, tzinfo=UTC)
BACKFILL = "main/triggers/backfill/create"


def test_a_backfill_says_its_range_inputs_and_labels(client, server):
    server.on("PUT", BACKFILL, json={})
    client.triggers.backfill(
        "taxi", "f", "green", START, END, inputs={"replace": True}, labels={"backfill": "b1"}
    )
    assert json.loads(server.sent("PUT", BACKFILL)[0].content) == {
        "namespace": "taxi",
        "flowId": "f",
        "triggerId": "green",
        "backfill": {
            "start": "2019-01-01T00:00:00+00:00",
            "end": "2019-04-02T00:00:00+00:00",
            "inputs": {"replace": True},
            "labels": [{"key": "backfill", "value": "b1"}],
        },
    }


def test_a_backfill_waits_for_a_trigger_that_was_saved_just_now(client, server):
    server.on("PUT", BACKFILL, 404, json={"detail": "Trigger not found"})
    server.on("PUT", BACKFILL, json={})
    client.triggers.backfill("taxi", "f", "green", START, END)
    assert len(server.sent("PUT", BACKFILL)) == 2
    server.rules.clear()
    with pytest.raises(NotFound):
        client.triggers.backfill("taxi", "f", "green", START, END, appear=0.01)


@pytest.mark.parametrize(
    ("start", "end", "rule"),
    [
        (END, START, "is after"),
        (START.replace(tzinfo=None), END, "time zone"),
        (START, END.replace(tzinfo=None), "time zone"),
    ],
)
def test_a_backfill_that_could_not_work_is_not_sent(client, server, start, end, rule):
    with pytest.raises(UsageError, match=rule):
        client.triggers.backfill("taxi", "f", "green", start, end)
    assert not server.requests


def test_triggers_are_read_from_search_items_and_bare_states(client, server):
    state = {"namespace": "taxi", "flowId": "f", "triggerId": "green", "backfill": {"start": "x"}}
    server.on(
        "GET",
        "main/triggers/search",
        json={"results": [{"trigger": {"id": "green"}, "state": state}, state], "total": 2},
    )
    found = client.triggers.search(namespace="taxi")
    assert [(one.trigger_id, one.disabled, bool(one.backfill)) for one in found] == [
        ("green", False, True)
    ] * 2


@pytest.mark.parametrize(
    ("call", "verb", "path"),
    [
        ("pause_backfill", "PUT", "pause"),
        ("unpause_backfill", "PUT", "unpause"),
        ("delete_backfill", "POST", "delete"),
    ],
)
def test_a_backfill_is_held_released_and_given_up(client, server, call, verb, path):
    server.on(verb, f"main/triggers/backfill/{path}", json={})
    getattr(client.triggers, call)("taxi", "f", "green")
    assert json.loads(server.sent(verb, f"main/triggers/backfill/{path}")[0].content) == {
        "namespace": "taxi",
        "flowId": "f",
        "triggerId": "green",
    }


def test_a_trigger_is_switched_off(client, server):
    server.on("PUT", "main/triggers/set-disabled", json={})
    client.triggers.set_disabled("taxi", "f", "green", True)
    assert json.loads(server.sent("PUT", "main/triggers/set-disabled")[0].content)["disabled"]


def test_log_lines_below_the_level_are_left_out_even_if_the_server_sends_them(client, server):
    lines = [{"level": "DEBUG", "message": "d"}, {"level": "ERROR", "message": "e", "taskId": "t"}]
    server.on("GET", "main/logs/x1", json=lines)
    assert [(one.level, one.message, one.task_id) for one in client.logs("x1", "WARN")] == [
        ("ERROR", "e", "t")
    ]
    with pytest.raises(ValueError, match="LOUD is no log level"):
        client.logs("x1", "LOUD")


def test_outputs_come_by_task(client, server):
    known = [{"taskId": "extract", "taskRunId": "r1"}]
    server.on("GET", "main/outputs/tasks/x1", json=known)
    server.on("GET", "main/outputs/tasks/x1/r1", json={"vars": {"rows": 3}})
    server.on("GET", "main/outputs/executions/x1", json={"rows": "3"})
    assert client.outputs.tasks("x1") == {"extract": {"vars": {"rows": 3}}}
    assert client.outputs.flow("x1") == {"rows": "3"}
    assert client.outputs.flow("unknown") == {}


def test_a_file_of_an_execution_is_downloaded(client, server):
    server.on("GET", "main/executions/x1/file", content=b"a,b")
    assert client.files.download("x1", "kestra:///a/b.csv") == b"a,b"
    asked = server.sent("GET", "main/executions/x1/file")[0].url.params
    assert asked["path"] == "kestra:///a/b.csv"


@pytest.mark.parametrize("path", ["a b.txt", "code.zip", "_flows/a.yaml", "/_flows/a.yaml"])
def test_a_file_that_a_server_would_store_otherwise_is_not_sent(client, server, path):
    with pytest.raises(UsageError, match="does not keep"):
        client.namespace_files.put("taxi", path, b"x")
    assert not server.requests


def test_a_log_is_followed_until_its_execution_has_ended_and_it_is_quiet(client, server):
    def state(current: str) -> dict:
        return {"id": "x1", "state": {"current": current}}

    def lines(*words: str) -> list[dict]:
        return [{"level": "INFO", "message": word} for word in words]

    for current in ("RUNNING", "RUNNING", "SUCCESS", "SUCCESS"):
        server.on("GET", "main/executions/x1", json=state(current))
    for words in (["a"], ["a", "b", "b"], ["a", "b", "b"], ["a", "b", "late", "b"]):
        server.on("GET", "main/logs/x1", json=lines(*words))
    told = [line.message for line in client.logs.follow("x1", pause=0)]
    assert told == ["a", "b", "b", "late"]


def test_the_log_of_no_execution_is_not_followed(client, server):
    server.on("GET", "main/logs/x1", json=[])
    with pytest.raises(NotFound):
        next(client.logs.follow("x1"))
