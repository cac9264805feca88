"""Versions, errors, retries: what is the same for every call."""

from __future__ import annotations

import contextlib

import httpx
import pytest

from taxistack.errors import FailedError, MissingError, TransientError
from taxistack.kestra import (
    Broken,
    Conflict,
    Invalid,
    KestraClient,
    KestraError,
    NotFound,
    NotOffered,
    Unauthorized,
    Unavailable,
)

EXECUTION = "main/executions/x1"


def test_every_call_carries_basic_auth(client, server):
    server.on("GET", "main/flows/taxi", json=[])
    client.flows.list("taxi")
    assert {one.headers["Authorization"][:6] for one in server.requests} == {"Basic "}


@pytest.mark.parametrize("version", ["1.3.31", "0.24.0", "3.0.0", "", None])
def test_another_major_release_is_refused_before_anything_else(connect, server, version):
    server.rules.clear()
    server.on("GET", "configs", json={"version": version})
    with pytest.raises(MissingError, match=r"speaks to Kestra 2\.x"):
        connect().flows.list("taxi")
    assert [one.url.path for one in server.requests] == ["/api/v1/configs"]


def test_the_version_is_asked_once(client, server):
    server.on("GET", "main/flows/taxi", json=[])
    client.flows.list("taxi")
    client.flows.list("taxi")
    assert len(server.sent("GET", "configs")) == 1
    assert client.version() == "2.0.4"


def test_a_server_that_was_away_is_asked_for_its_version_again(connect, server):
    server.rules.clear()
    for _ in range(4):
        server.breaks("GET", "configs", httpx.ConnectError("refused"))
    server.on("GET", "configs", json={"version": "2.0.0"})
    server.on("GET", "main/flows/taxi", json=[])
    made = connect()
    with pytest.raises(Unavailable):
        made.flows.list("taxi")
    assert made.flows.list("taxi") == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (409, Conflict),
        (410, NotFound),
        (422, Invalid),
        (423, Conflict),
        (500, Broken),
        (501, NotOffered),
    ],
)
def test_a_problem_becomes_an_exception_with_status_and_the_servers_words(
    client, server, status, kind
):
    problem = {
        "type": "https://kestra.io/docs/api-reference/problems/x",
        "title": "A title",
        "status": status,
        "detail": "what is wrong",
        "errors": [{"path": "tasks[0]", "detail": "must not be empty"}],
        "field of a later release": True,
    }
    server.on("GET", EXECUTION, status, json=problem)
    with pytest.raises(KestraError) as caught:
        client.executions.get("x1")
    error = caught.value
    assert type(error) is kind
    assert isinstance(error, FailedError)
    assert (error.status, error.title, error.detail) == (status, "A title", "what is wrong")
    assert "read execution x1" in str(error)
    assert "what is wrong; tasks[0]: must not be empty" in str(error)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"json": {"message": "in the old form"}}, "in the old form"),
        ({"json": ["not", "an", "object"]}, "Conflict"),
        ({"html": "<h1>Oh</h1>"}, "Conflict"),
        ({}, "Conflict"),
    ],
)
def test_a_problem_in_another_form_still_says_something(client, server, body, words):
    server.on("GET", EXECUTION, 409, **body)
    with pytest.raises(Conflict, match=words):
        client.executions.get("x1")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_is_tried_again_when_the_server_cannot_answer_now(client, server, status):
    server.on("GET", EXECUTION, status).on("GET", EXECUTION, status)
    server.on("GET", EXECUTION, json={"id": "x1", "state": {"current": "SUCCESS"}})
    assert client.executions.get("x1").succeeded
    assert len(server.sent("GET", EXECUTION)) == 3


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.ReadError("cut")]
)
def test_a_read_that_never_gets_an_answer_ends_as_transient(client, server, error):
    server.breaks("GET", EXECUTION, error)
    with pytest.raises(TransientError, match=r"Kestra at http://kestra\.test:8080 does not answer"):
        client.executions.get("x1")
    assert len(server.sent("GET", EXECUTION)) == 4


def test_a_write_is_sent_once(client, server):
    server.breaks("POST", "main/executions/taxi/hello_world", httpx.ReadTimeout("slow"))
    with pytest.raises(Unavailable):
        client.executions.create("taxi", "hello_world")
    assert len(server.sent("POST", "main/executions/taxi/hello_world")) == 1


def test_a_refusal_is_not_tried_again(client, server):
    server.on("GET", EXECUTION, 409, json={"detail": "locked"})
    with pytest.raises(Conflict):
        client.executions.get("x1")
    assert len(server.sent("GET", EXECUTION)) == 1


def test_a_read_that_the_server_fails_at_again_and_again_ends_with_its_words(client, server):
    server.on("GET", EXECUTION, 500, json={"detail": "broken"})
    with pytest.raises(Broken, match="Kestra answered 500: broken"):
        client.executions.get("x1")
    assert len(server.sent("GET", EXECUTION)) == 4


def test_an_answer_that_is_not_json_is_named(client, server):
    server.on("GET", EXECUTION, html="<html>a proxy</html>")
    with pytest.raises(Unavailable, match="without JSON"):
        client.executions.get("x1")


@pytest.mark.parametrize("answer", [401, 422, 503, httpx.ConnectError("refused")])
def test_no_exception_carries_the_password(client: KestraClient, server, answer):
    if isinstance(answer, int):
        server.on("GET", EXECUTION, answer, json={"detail": "no"})
    else:
        server.breaks("GET", EXECUTION, answer)
    with pytest.raises((KestraError, Unavailable)) as caught:
        client.executions.get("x1")
    shown, error = "", caught.value
    while error is not None:
        shown += f"{error!r} {error} {vars(error)}"
        error = error.__cause__
    assert "Swordfish" not in shown
    assert "Basic " not in shown


PROBLEM = ", application/problem+json"


@pytest.mark.parametrize(
    ("call", "accept"),
    [
        (lambda one: one.flows.list("n"), "application/json"),
        (lambda one: one.flows.create("id: a"), "application/json"),
        (lambda one: one.namespace_files.get("n", "a.py"), "application/octet-stream"),
        (lambda one: one.files.download("x1", "kestra:///a"), "application/octet-stream"),
        (lambda one: one.executions.kill("x1"), "text/json, application/json"),
        (lambda one: [*one.executions._stream("x1", None)], "text/event-stream"),
    ],
    ids=["json", "write", "namespace file", "file", "kill", "stream"],
)
def test_a_call_asks_for_the_type_that_its_route_makes(client, server, call, accept):
    """A server answers 406 to who asks for any other; problems are taken from all of them."""
    with contextlib.suppress(KestraError):
        call(client)
    assert server.requests[-1].headers["Accept"] == accept + PROBLEM


def test_the_version_needs_no_password_and_being_ready_does(client, server):
    server.on("GET", "main/flows/search", 401)
    assert client.version() == "2.0.4"
    with pytest.raises(Unauthorized):
        client.ready()
    (asked,) = server.sent("GET", "main/flows/search")
    assert asked.url.params["size"] == "1"
