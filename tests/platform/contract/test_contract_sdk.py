"""The official SDK as a second opinion."""

from __future__ import annotations

import importlib
import secrets
import warnings
from datetime import UTC, datetime

import pydantic
import pytest

from taxistack.kestra import KestraClient

from .conftest import FLOWS, NAMESPACE, eventually, run, source


@pytest.fixture(scope="module")
def sdk(client: KestraClient, contract_server: tuple[str, str, str]):
    """The official SDK as a client of the same server."""
    url, user, password = contract_server
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
    """kestrapy 2.0.3 against the same contract_server: a second opinion on paths and shapes.

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
