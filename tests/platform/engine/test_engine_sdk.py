"""Kestra's official SDK against the face: a client that was not written for it.

What kestrapy 2.0.3 does not parse strictly (it falls back to an unchecked model): the `state` of
an execution, whose model wants `getDuration`, `getStartDate` and `getEndDate`, and the `inputs`
of an execution, which its model takes for a map of maps. Both are the SDK's own.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

FLOW = """\
id: sdk
namespace: sdk
inputs: [{id: name, type: STRING, defaults: you}]
tasks:
  - {id: log, type: io.kestra.plugin.core.log.Log, message: "hello {{ inputs.name }}"}
outputs: [{id: name, type: STRING, value: "{{ inputs.name }}"}]
"""
TENANT = "main"


@pytest.fixture(scope="module")
def sdk(engine) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # field names of its models shadow pydantic's
        from kestrapy import KestraClient

    client = KestraClient(
        host=f"http://127.0.0.1:{engine.port}", username=engine.user, password=engine.password
    )
    yield client
    client.close()


def test_the_sdk_makes_runs_and_reads_a_flow(sdk, until) -> None:
    assert sdk.flows.create_flow(TENANT, FLOW).id == "sdk"
    assert sdk.flows.flow("sdk", "sdk", TENANT, source=True).source == FLOW
    (checked,) = sdk.flows.validate_flows(TENANT, FLOW)
    assert checked.constraints is None
    started = sdk.executions.create_execution(
        TENANT, "sdk", "sdk", labels=["who:sdk"], wait=True, inputs={"name": "sdk"}
    )
    assert str(started.state.current).endswith("SUCCESS")
    assert sdk.executions.execution(started.id, TENANT).id == started.id
    assert sdk.outputs.execution_outputs(started.id, TENANT) == {"name": "sdk"}
    until(lambda: [log.message for log in sdk.logs.list_logs_from_execution(started.id, TENANT)])
    last = list(sdk.executions.follow_execution(started.id, TENANT))[-1]
    assert last.id == started.id
    found = sdk.executions.search_executions(
        TENANT, filters=[{"field": "labels", "operation": "EQUALS", "value": {"who": "sdk"}}]
    )
    assert found["total"] == 1


def test_the_sdk_keeps_pairs_and_files(sdk) -> None:
    sdk.kv.set_key_value("sdk", "key", TENANT, '"value"')
    assert sdk.kv.key_value("sdk", "key", TENANT).value == "value"
    assert sdk.kv.list_all_keys(TENANT).total == 1
    assert sdk.kv.delete_key_value("sdk", "key", TENANT) is True
    sdk.files.create_namespace_file("sdk", "/a.txt", TENANT, b"text")
    assert sdk.files.file_content("sdk", "/a.txt", TENANT) == b"text"
    (file,) = sdk.files.list_namespace_directory_files("sdk", TENANT, "/")
    assert file.file_name == "a.txt"
    sdk.files.delete_file_directory("sdk", "/a.txt", TENANT)


def test_the_sdk_reads_the_reason_of_a_refusal(sdk) -> None:
    with pytest.raises(Exception, match=r"There is no flow sdk\.nothing"):
        sdk.flows.flow("sdk", "nothing", TENANT)
