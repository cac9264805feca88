"""What the page's calls send to Kestra, and what they say when something is wrong."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from taxistack.errors import UsageError
from taxistack.kestra import Execution, Invalid, LogLine, NotFound, Unavailable
from taxistack.kestra.models import moment
from taxistack.page import executions
from taxistack.page.executions import MOST_LINES


@pytest.fixture
def asked(kestra):
    """The filters of the searches that were made; each finds nothing."""
    seen = []

    def page(number, size, **filters):
        seen.append({"page": number, **{key: value for key, value in filters.items() if value}})
        return [], 0

    kestra.executions = SimpleNamespace(page=page)
    return seen


def test_a_list_is_asked_for_by_state_flow_label_and_time(page, asked):
    told = page.get(
        "/api/executions?page=3&state=failed&flow=taxi/hello_world&label=month:2019-01&since=2h"
    )
    assert (told.status_code, told.json()["executions"]) == (200, [])
    assert asked[0].pop("start_after").tzinfo is not None
    assert asked == [
        {
            "page": 3,
            "namespace": "taxi",
            "flow_id": "hello_world",
            "states": ("FAILED",),
            "labels": {"month": "2019-01"},
        }
    ]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("state=odd", "must be one of running"),
        ("label=month", "must be key:value"),
        ("since=soon", "must be like 30m"),
        ("since=999999d", "must be like 30m"),
        ("page=0", "must be 1 or more"),
        ("page=x", "must be 1 or more"),
    ],
)
def test_a_filter_that_is_none_is_told(page, asked, query, told):
    answer = page.get(f"/api/executions?{query}")
    assert answer.status_code == 422
    assert told in answer.json()["error"]
    assert asked == []


def test_what_kestra_refuses_is_said_in_its_words_with_the_input(page, kestra):
    def create(*_, **__):
        words = "Invalid value for input `taxi`. Cause: it must match the values `[yellow]`"
        raise Invalid("start x: " + words, status=422, detail=words)

    kestra.executions = SimpleNamespace(create=create)
    answer = page.post("/api/flows/taxi/x/execute", data={"taxi": "red"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("Invalid value for input")
    assert answer.json()["inputs"] == ["taxi"]


def test_a_form_is_sent_without_its_empty_fields_and_files_as_files(page, kestra):
    sent = {}

    def create(namespace, flow, *, inputs, files):
        told = {name: (path.name, path.read_bytes()) for name, path in files.items()}
        sent.update(flow=f"{namespace}.{flow}", inputs=inputs, files=told)
        return Execution("e1", namespace, flow, "CREATED")

    kestra.executions = SimpleNamespace(create=create)
    answer = page.post(
        "/api/flows/taxi/x/execute",
        data={"a": "1", "b": ""},
        files={"f": ("../../evil.txt", b"content"), "none": ("", b"")},
    )
    assert answer.json() == {"id": "e1", "state": "CREATED"}
    assert sent == {
        "flow": "taxi.x",
        "inputs": {"a": "1"},
        "files": {"f": ("evil.txt", b"content")},
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x", status=404, detail="there is no execution x"), 404),
        (Unavailable("Kestra does not answer"), 503),
        (ValueError("odd"), 500),
    ],
)
def test_whatever_goes_wrong_the_page_is_told_in_a_sentence(page, kestra, error, status):
    def get(_):
        raise error

    kestra.executions = SimpleNamespace(get=get)
    answer = page.get("/api/executions/x")
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("body", ["", "[]", "{", '{"cells": []}', '{"cells": [{"taxi": "red"}]}'])
def test_a_load_of_nothing_or_of_nonsense_is_refused(page, body):
    answer = page.post("/api/loads", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert page.get("/api/loads").json() == []


def test_a_cell_that_is_none_is_refused(page):
    cell = {"taxi": "red", "month": "2019-01", "destination": "postgres"}
    assert page.post("/api/loads", json={"cells": [cell]}).status_code == 422
    cell = {"taxi": "green", "month": "2019-13", "destination": "postgres"}
    assert page.post("/api/loads", json={"cells": [cell]}).status_code == 422


def test_a_backfill_runs_from_the_first_to_the_end_of_the_last_day(page, kestra):
    ranges = []
    kestra.triggers = SimpleNamespace(backfill=lambda *given: ranges.append(given))
    path = "/api/triggers/taxi/f/green/backfill"
    assert page.post(path, json={"start": "2019-01-01", "end": "2019-02-02"}).status_code == 200
    assert [str(one) for one in ranges[0]] == [
        "taxi", "f", "green", "2019-01-01 00:00:00+00:00", "2019-02-02 23:59:59+00:00",
    ]  # fmt: skip
    wrong = page.post(path, json={"start": "2019-02-01", "end": "2019-01-01"})
    assert (wrong.status_code, len(ranges)) == (422, 1)
    assert page.post(path, json={"start": "soon", "end": "2019-01-01"}).status_code == 422
    typed = page.post(path, json={"start": "0019-01-01", "end": "2019-01-01"})
    assert (typed.status_code, "20 years" in typed.json()["error"]) == (422, True)
    later = page.post(path, json={"start": "2019-01-01", "end": "9999-12-31"})
    assert (later.status_code, "not come yet" in later.json()["error"]) == (422, True)
    assert len(ranges) == 1
    assert page.post("/api/triggers/taxi/f/green/explode", json={}).status_code == 422


def test_of_a_long_log_the_end_is_shown_and_the_file_has_all(kestra):
    lines = [LogLine(moment("2026-01-01T00:00:00Z"), "INFO", f"line {n}") for n in range(2500)]
    client = SimpleNamespace(logs=lambda _, min_level: lines)
    shown = executions.log(client, "e", "INFO")
    assert (shown["left_out"], len(shown["lines"])) == (2500 - MOST_LINES, MOST_LINES)
    assert shown["lines"][-1][3] == "line 2499"
    with pytest.raises(UsageError, match="must be one of TRACE, DEBUG"):
        executions.log(client, "e", "LOUD")
    file = executions.log_file(client, "e")
    assert file.body.count(b"\n") == 2500
    assert file.headers["Content-Disposition"].startswith("attachment")


def test_a_log_is_shown_without_its_commands_to_a_terminal():
    lines = [LogLine(moment("2026-01-01T00:00:00Z"), "ERROR", "\x1b[31mred\x1b[0m \u202eback")]
    shown = executions.log(SimpleNamespace(logs=lambda *_, **__: lines), "e", "INFO")
    assert (shown["lines"][0][3], shown["reason"]) == ("red back", "red back")


def test_a_file_is_saved_and_never_shown_whatever_is_in_it(page, kestra):
    kestra.files = SimpleNamespace(download=lambda *_: b"<script>alert(1)</script>")
    answer = page.get('/api/executions/e/file?path=kestra:///a/"x".html')
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="_x_.html"')
