"""Executions: what is sent, how answers are read, following to the end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxistack.kestra import TERMINAL, Conflict, Execution, NotFound, Unavailable
from taxistack.kestra.events import data_of

CREATE = "main/executions/taxi/taxi_backfill"
SEARCH = "main/executions/search"


def raw(id_: str = "x1", state: str = "RUNNING", **more: object) -> dict:
    return {"id": id_, "namespace": "taxi", "flowId": "f", "state": {"current": state}, **more}


def test_inputs_go_as_form_parts_text_as_it_is_and_the_rest_as_json(client, server):
    server.on("POST", CREATE, json=raw())
    inputs = {
        "months": [{"taxi": "green"}],
        "parallel": 2,
        "replace": True,
        "id": "b1",
        "none": None,
    }
    client.executions.create("taxi", "taxi_backfill", inputs)
    body = server.sent("POST", CREATE)[0].read().decode()
    for name, value in {
        "months": '[{"taxi": "green"}]',
        "parallel": "2",
        "replace": "true",
        "id": "b1",
    }.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n' in body
    assert "none" not in body


def test_files_are_sent_with_their_names(client, server, tmp_path: Path):
    server.on("POST", CREATE, json=raw())
    (tmp_path / "trips.csv").write_text("a,b")
    client.executions.create("taxi", "taxi_backfill", files={"data": tmp_path / "trips.csv"})
    body = server.sent("POST", CREATE)[0].read().decode()
    assert 'name="data"; filename="trips.csv"' in body
    assert "a,b" in body


def test_a_files_name_is_one_that_kestra_can_take_into_an_address(client, server, tmp_path: Path):
    server.on("POST", CREATE, json=raw())
    odd = tmp_path / 'my "trips" of märz.csv'
    odd.write_text("a,b")
    client.executions.create("taxi", "taxi_backfill", files={"data": odd})
    body = server.sent("POST", CREATE)[0].read().decode()
    assert 'name="data"; filename="my__trips__of_m_rz.csv"' in body


@pytest.mark.parametrize("odd", ["x?wait=true", "../flows", "..", "x#y", "", "a b", "x\\y"])
def test_an_id_that_would_be_another_address_is_not_found_and_not_asked_for(client, server, odd):
    for ask in (
        client.executions.get,
        client.executions.kill,
        client.logs,
        client.executions.delete,
    ):
        with pytest.raises(NotFound, match="nothing of that name"):
            ask(odd)
    assert {one.url.path for one in server.requests} <= {"/api/v1/configs"}


def test_labels_are_repeated_parameters_and_survive_any_character(client, server):
    server.on("POST", CREATE, json=raw())
    client.executions.create("taxi", "taxi_backfill", labels={"a": "b:c d", "ü": "1&2"})
    asked = server.sent("POST", CREATE)[0].url.params
    assert asked.get_list("labels") == ["a:b:c d", "ü:1&2"]
    assert asked["wait"] == "false"


def test_an_execution_is_read_tolerantly():
    one = Execution.parse(
        {
            "id": "x1",
            "namespace": "taxi",
            "flowId": "taxi_to_postgres",
            "state": {"current": "WARNING", "startDate": "2026-11-01T09:00:00.123456789Z"},
            "labels": [{"key": "taxi", "value": "green"}, {"key": "month", "value": "2019-01"}],
            "trigger": {"id": "green", "variables": {"date": "2019-01-01T09:00Z"}},
            "metadata": {"attemptNumber": 2},
            "a field of a later release": {"x": 1},
        }
    )
    assert (one.state, one.terminated, one.succeeded) == ("WARNING", True, False)
    assert one.labels == {"taxi": "green", "month": "2019-01"}
    assert one.start == datetime(2026, 11, 1, 9, 0, 0, 123456, UTC)
    assert one.trigger_date == datetime(2019, 1, 1, 9, tzinfo=UTC)
    assert (one.attempt, one.end) == (2, None)
    assert Execution.parse({"id": "x"}).state == ""


def test_a_subflow_has_no_trigger_date():
    trigger = {"id": "months", "variables": {"executionId": "p1", "namespace": "taxi"}}
    assert Execution.parse(raw(trigger=trigger)).trigger_date is None


def test_search_speaks_the_filters_of_kestra_2(client, server):
    server.on("GET", SEARCH, json={"results": [raw()], "total": 1})
    found = client.executions.search(
        namespace="taxi",
        flow_id="taxi_to_postgres",
        states=["RUNNING", "CREATED"],
        labels={"backfill": "b1", "taxi": "green"},
        start_after=datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1))),
    )
    assert [one.id for one in found] == ["x1"]
    asked = dict(server.sent("GET", SEARCH)[0].url.params)
    assert asked == {
        "page": "1",
        "size": "100",
        "sort": "state.startDate:desc",
        "filters[namespace][EQUALS]": "taxi",
        "filters[flowId][EQUALS]": "taxi_to_postgres",
        "filters[state][IN]": "RUNNING,CREATED",
        "filters[labels][EQUALS][backfill]": "b1",
        "filters[labels][EQUALS][taxi]": "green",
        "filters[startDate][GREATER_THAN_OR_EQUAL_TO]": "2026-01-02T00:00:00+01:00",
    }


def test_a_moment_without_a_time_zone_is_refused(client):
    with pytest.raises(ValueError, match="no time zone"):
        next(client.executions.search(start_after=datetime(2026, 1, 2)))


def test_search_reads_page_after_page_and_drops_what_moved_between_them(client, server):
    server.on("GET", SEARCH, json={"results": [raw("a"), raw("b")], "total": 4})
    server.on("GET", SEARCH, json={"results": [raw("b"), raw("c")], "total": 4})
    assert [one.id for one in client.executions.search(page_size=2)] == ["a", "b", "c"]
    assert [one.url.params["page"] for one in server.sent("GET", SEARCH)] == ["1", "2"]


def test_search_ends_when_the_total_is_wrong(client, server):
    server.on("GET", SEARCH, json={"results": [raw("a")], "total": 99})
    server.on("GET", SEARCH, json={"results": [], "total": 99})
    assert len([*client.executions.search()]) == 1


def test_search_stops_at_the_limit(client, server):
    server.on("GET", SEARCH, json={"results": [raw("a"), raw("b")], "total": 900})
    assert [one.id for one in client.executions.search(limit=1)] == ["a"]
    assert len(server.sent("GET", SEARCH)) == 1


def test_iterations_of_a_loop_are_left_out(client, server):
    results = [raw("a"), raw("i", loopRun={"index": 0}), raw("b", loopRun=None)]
    server.on("GET", SEARCH, json={"results": results, "total": 3})
    assert [one.id for one in client.executions.search()] == ["a", "b"]


def stream(*events: tuple[str, dict | None]) -> bytes:
    lines = []
    for name, data in events:
        lines += [f"id: {name}", f"data: {json.dumps(data) if data else ''}", ""]
    return "\r\n".join([*lines, ""]).encode()


def test_follow_gives_every_change_and_ends_with_the_execution(client, server):
    server.on("GET", "main/executions/x1", json=raw(state="CREATED"))
    body = stream(
        ("start", None),
        ("progress", raw()),
        ("progress", raw()),
        ("end", raw(state="SUCCESS")),
    )
    server.on("GET", "main/executions/x1/follow", content=body)
    assert [one.state for one in client.executions.follow("x1")] == [
        "CREATED",
        "RUNNING",
        "SUCCESS",
    ]


@pytest.mark.parametrize("broken", [501, 404, b"data: {nonsense\n\n", stream(("p", raw()))])
def test_follow_polls_where_the_stream_is_missing_or_ends_early(client, server, broken):
    if isinstance(broken, int):
        server.on("GET", "main/executions/x1/follow", broken)
    else:
        server.on("GET", "main/executions/x1/follow", content=broken)
    server.on("GET", "main/executions/x1", json=raw(state="CREATED"))
    server.on("GET", "main/executions/x1", json=raw(state="FAILED"))
    assert client.executions.wait("x1").state == "FAILED"


def test_waiting_too_long_says_that_the_execution_goes_on(client, server):
    server.on("GET", "main/executions/x1", json=raw())
    server.on("GET", "main/executions/x1/follow", 501)
    with pytest.raises(Unavailable, match=r"x1 of taxi\.f is still RUNNING; it goes on") as caught:
        client.executions.wait("x1", timeout=0.05)
    assert caught.value.hint == "invoke logs --execution x1"


def test_a_stream_that_only_breathes_does_not_outlast_the_timeout(client, server):
    server.on("GET", "main/executions/x1", json=raw())
    late = b": still there\n\n" + stream(("end", raw(state="SUCCESS")))
    server.on("GET", "main/executions/x1/follow", content=late)
    with pytest.raises(Unavailable, match="still RUNNING"):
        client.executions.wait("x1", timeout=0)


def test_killing_what_has_ended_is_fine(client, server):
    server.on("DELETE", "main/executions/x1/actions/kill", 409, json={"detail": "finished"})
    server.on("GET", "main/executions/x1", json=raw(state="SUCCESS"))
    client.executions.kill("x1")


def test_a_kill_that_is_refused_while_it_runs_is_an_error(client, server):
    server.on("DELETE", "main/executions/x1/actions/kill", 409, json={"detail": "no"})
    server.on("GET", "main/executions/x1", json=raw(state="RUNNING"))
    with pytest.raises(Conflict):
        client.executions.kill("x1")


def test_restart_and_delete_use_the_paths_of_kestra_2(client, server):
    server.on("POST", "main/executions/x1/actions/restart", json=raw(state="RESTARTED"))
    server.on("DELETE", "main/executions/x1", 204)
    assert client.executions.restart("x1").state == "RESTARTED"
    client.executions.delete("x1")
    asked = dict(server.sent("DELETE", "main/executions/x1")[0].url.params)
    assert asked == {"deleteLogs": "true", "deleteMetrics": "true", "deleteStorage": "true"}


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\r\n")), min_size=1)))
def test_event_data_comes_back_as_it_was_sent(events: list[list[str]]):
    lines = [": a comment"]
    for data in events:
        lines += ["event: x", *(f"data: {line}" for line in data), ""]
    assert [*data_of(lines)] == ["\n".join(data) for data in events]


def test_every_state_is_either_terminal_or_known_to_go_on():
    going_on = {"CREATED", "SUBMITTED", "RUNNING", "PAUSED", "RESTARTED", "KILLING", "QUEUED"}
    assert not TERMINAL & (going_on | {"RETRYING", "BREAKPOINT"})


def test_a_transport_error_in_the_stream_falls_back_to_polling(client, server):
    server.on("GET", "main/executions/x1", json=raw())
    server.on("GET", "main/executions/x1", json=raw(state="SUCCESS"))
    server.breaks("GET", "main/executions/x1/follow", httpx.ReadError("cut"))
    assert client.executions.wait("x1").succeeded


def test_a_replay_may_begin_at_a_task_run(client, server):
    server.on("POST", "main/executions/x1/actions/replay", json=raw("x2"))
    assert client.executions.replay("x1").id == "x2"
    client.executions.replay("x1", "r7")
    whole, part = server.sent("POST", "main/executions/x1/actions/replay")
    assert dict(whole.url.params) == {}
    assert dict(part.url.params) == {"taskRunId": "r7"}
