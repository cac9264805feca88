"""The REST face: who may call, what it answers, what it refuses."""

from __future__ import annotations

import base64
import socket
from contextlib import ExitStack

import httpx
import pytest

from localcloud.kestra import engine_version

LOG = "tasks:\n  - {id: a, type: io.kestra.plugin.core.log.Log, message: hi}\n"
PYTHON = "tasks:\n  - id: a\n    type: io.kestra.plugin.scripts.python.Commands\n"
DOCKER = "io.kestra.plugin.scripts.runner.docker.Docker"


def problem(answer: httpx.Response, status: int) -> dict:
    """The problem+json object of an answer with that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["type"].startswith("https://kestra.io/docs/api-reference/problems/")
    assert told["title"]
    return told


@pytest.mark.parametrize("login", [None, ("admin@kestra.io", "wrong"), ("other", "Engine1234")])
@pytest.mark.parametrize("path", ["/api/v1/main/configs", "/api/v1/main/flows/search", "/nothing"])
def test_every_call_about_the_tenant_needs_the_password(engine, login, path) -> None:
    answer = httpx.get(f"http://127.0.0.1:{engine.port}{path}", auth=login)
    problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    "header",
    [
        {"Host": "rebound.example"},
        {"Host": "127.0.0.1.evil.example:8080"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/configs"), ("GET", "/api/v1/main/flows/search"), ("POST", "/api/v1/main/x")],
)
def test_no_web_page_is_answered_even_with_the_password(engine, method, path, header) -> None:
    login = (engine.user, engine.password)
    address = f"http://127.0.0.1:{engine.port}{path}"
    answer = httpx.request(method, address, auth=login, headers=header)
    problem(answer, 403)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert httpx.request(method, address, auth=login).status_code != 403


def test_a_tunnel_of_another_port_is_answered(engine) -> None:
    login = (engine.user, engine.password)
    for host in ("127.0.0.1:1", "localhost:1", "localhost"):
        headers = {"Host": host, "Sec-Fetch-Site": "none"}
        assert engine.http.get("/flows/search?size=1", headers=headers, auth=login).is_success


@pytest.mark.parametrize(
    "login", [None, ("admin@kestra.io", "wrong"), ("admin@kestra.io", "Engine1234")]
)
def test_configs_tells_everybody_the_version(engine, login) -> None:
    facts = httpx.get(f"http://127.0.0.1:{engine.port}/api/v1/configs", auth=login).json()
    assert facts["version"] == engine_version()
    assert facts["edition"] == "OSS"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/dashboards"),
        ("DELETE", "/executions/kill/by-ids"),
        ("GET", "/metrics/some"),
        ("PATCH", "/flows/tests/a"),
        ("POST", "/flows/import"),
        ("GET", "/logs/x/follow"),
        ("GET", "/triggers/tests/a"),
    ],
)
def test_what_is_not_offered_says_so(engine, method, path) -> None:
    detail = problem(engine.http.request(method, path), 501)["detail"]
    assert f"does not offer {method} /api/v1/main{path}" in detail


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("POST", "/executions/tests/a", {"kind": "TEST"}),
        ("POST", "/executions/tests/a", {"breakpoints": "a"}),
        ("POST", "/flows", {"draft": "true"}),
        ("PUT", "/flows/tests/a", {"draft": "true"}),
        ("GET", "/executions/search", {"dateFilter": "END_DATE"}),
        ("GET", "/triggers/search", {"dateFilter": "LAST_TRIGGERED_DATE"}),
    ],
)
def test_a_parameter_that_would_change_the_meaning_is_not_ignored(
    engine, method, path, query
) -> None:
    detail = problem(engine.http.request(method, path, params=query), 501)["detail"]
    assert f"does not offer {method} /api/v1/main{path} with {next(iter(query))}" in detail


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/api/v1/main/nothing/at/all"])
def test_what_no_server_has_is_not_found(engine, path) -> None:
    url = f"http://127.0.0.1:{engine.port}{path}"
    problem(httpx.get(url, auth=(engine.user, engine.password)), 404)


def test_a_connection_that_only_drips_bytes_is_closed(new_engine) -> None:
    hasty = new_engine(request_seconds=1)
    hasty.start()
    hasty.save("quick", LOG)
    with ExitStack() as stack:
        dripping = []
        for begin in (
            b"",
            b"GET /api/v1/configs HT",
            b"GET /api/v1/configs HTTP/1.1\r\nHost: a\r\nX: ",
        ):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", hasty.port)))
            one.settimeout(60)
            one.sendall(begin)
            dripping.append(one)
        assert [one.recv(1000) for one in dripping] == [b""] * 3
    # One that waits for its answer is no such connection.
    hasty.save("long", "tasks: [{id: a, type: io.kestra.plugin.core.flow.Sleep, duration: PT4S}]\n")
    assert hasty.run("long")["state"]["current"] == "SUCCESS"


def test_a_body_over_the_limit_is_refused(new_engine) -> None:
    small = new_engine(body_limit=100_000)
    small.start()
    url = "/namespaces/tests/files"
    large = small.http.post(
        url, params={"path": "/a"}, files={"fileContent": ("a", b"x" * 3_000_000)}
    )
    assert "100000 bytes" in problem(large, 413)["detail"]

    def chunks():
        yield from (b"x" * 50_000 for _ in range(10))

    problem(small.http.put("/namespaces/tests/kv/key", content=chunks()), 413)
    fits = small.http.post(url, params={"path": "/a"}, files={"fileContent": ("a", b"x" * 50_000)})
    assert fits.status_code == 200
    assert not list((small.folder / "data" / "uploads").iterdir())


FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("multipart/form-data", PART, "boundary"),
        (FORM, b"no form at all", "closing delimiter"),
        (FORM, PART + b"the first half of a fi", "closing delimiter"),
        (FORM, PART + b"x\r\n" + PART + b"x\r\n--b--\r\n", "two parts"),
        (FORM, (b"x" * 100 + b"\r\n") * 1000, "cannot be read"),
    ],
)
def test_a_form_that_is_not_whole_starts_nothing(engine, kind, body, reason) -> None:
    engine.save("formed", LOG)
    answer = engine.http.post(
        "/executions/tests/formed", content=body, headers={"Content-Type": kind}
    )
    assert reason in problem(answer, 400)["detail"]
    search = {"filters[flowId][EQUALS]": "formed"}
    assert engine.http.get("/executions/search", params=search).json()["total"] == 0
    assert not list((engine.folder / "data" / "uploads").iterdir())


@pytest.mark.parametrize("body", [b"", b"--b--\r\n"])
def test_a_form_without_parts_is_one(engine, body) -> None:
    engine.save("formless", LOG)
    answer = engine.http.post(
        "/executions/tests/formless", content=body, headers={"Content-Type": FORM}
    )
    assert answer.status_code == 200


def test_a_field_that_would_fill_the_memory_is_refused(engine) -> None:
    engine.save("field", LOG)
    part = {"text": (None, b"x" * (8 << 20) + b"x")}
    answer = engine.http.post("/executions/tests/field", files=part)
    assert "field text" in problem(answer, 413)["detail"]


def test_flows_are_created_updated_read_listed_and_deleted(engine) -> None:
    http = engine.http
    source = f"id: life\nnamespace: tests.flows\n{LOG}"
    made = http.post("/flows", content=source)
    assert made.status_code == 200
    assert made.json()["revision"] == 1
    assert problem(http.post("/flows", content=source), 409)["type"].endswith("already-exists")
    same = http.put("/flows/tests.flows/life", content=source)
    assert same.json()["revision"] == 1
    changed = http.put("/flows/tests.flows/life", content=source + "description: new\n")
    assert changed.json()["revision"] == 2
    read = http.get("/flows/tests.flows/life", params={"source": "true"}).json()
    assert read["source"] == source + "description: new\n"
    assert "source" not in http.get("/flows/tests.flows/life").json()
    old = http.get("/flows/tests.flows/life", params={"source": "true", "revision": 1}).json()
    assert old["source"] == source
    assert [flow["id"] for flow in http.get("/flows/tests.flows").json()] == ["life"]
    found = http.get("/flows/search", params={"filters[namespace][EQUALS]": "tests.flows"}).json()
    assert found["total"] == 1
    assert http.delete("/flows/tests.flows/life").status_code == 204
    problem(http.get("/flows/tests.flows/life"), 404)
    problem(http.delete("/flows/tests.flows/life"), 404)
    problem(http.put("/flows/tests.flows/life", content=source), 404)


def test_an_update_under_another_name_is_refused(engine) -> None:
    engine.save("named", LOG)
    source = f"id: other\nnamespace: tests\n{LOG}"
    assert (
        "tests.named"
        in problem(engine.http.put("/flows/tests/named", content=source), 422)["detail"]
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "tasks"),
        ("tasks: [", "YAML"),
        ("tasks:\n  - {id: a, type: no.such.Task}\n", "no.such.Task"),
        (LOG + "tsaks: []\n", "tsaks"),
        ("pluginDefaults: []\n" + LOG, "pluginDefaults"),
        (PYTHON + "    commands: [a]\n", "taskRunner"),
        (PYTHON + f"    commands: [a]\n    taskRunner: {{type: {DOCKER}}}\n", "no containers"),
        (PYTHON + "    commands: [a]\n    runner: PROCESS\n", "runner"),
        (PYTHON + "    commands: [a]\n    dependencies: [b]\n    {runner}\n", "dependencies"),
        (PYTHON + "    {runner}\n", "commands"),
    ],
)
def test_a_flow_that_cannot_run_here_is_refused_when_it_is_saved(engine, body, reason) -> None:
    body = body.replace("{runner}", engine.process_runner)
    source = f"id: bad\nnamespace: tests\n{body}"
    assert reason in problem(engine.http.post("/flows", content=source), 422)["detail"]
    (checked,) = engine.http.post("/flows/validate", content=source).json()
    assert reason in checked["constraints"]
    problem(engine.http.get("/flows/tests/bad"), 404)


def test_a_nested_task_is_checked_too(engine) -> None:
    source = (
        "id: bad\nnamespace: tests\ntasks:\n"
        "  - id: s\n    type: io.kestra.plugin.core.flow.Sequential\n"
        "    tasks:\n      - id: a\n        type: io.kestra.plugin.scripts.shell.Commands\n"
        "        commands: [a]\n"
    )
    assert "taskRunner" in problem(engine.http.post("/flows", content=source), 422)["detail"]


def test_validate_answers_for_each_document(engine) -> None:
    good = f"id: good\nnamespace: tests\n{LOG}"
    bad = "id: bad\nnamespace: tests\ntasks: []\n"
    first, second = engine.http.post("/flows/validate", content=f"{good}---\n{bad}").json()
    assert (first["index"], first["flow"], first.get("constraints")) == (0, "good", None)
    assert second["index"] == 1
    assert second["constraints"]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ('"text"', "STRING", "text"),
        ('"2019-01"', "STRING", "2019-01"),
        ("12", "NUMBER", 12),
        ("true", "BOOLEAN", True),
        ('{"a": [1, "b"]}', "JSON", {"a": [1, "b"]}),
        ("2024-01-01", "DATE", "2024-01-01"),
        ("PT1H", "DURATION", "PT1H"),
    ],
)
def test_a_pair_has_the_type_that_its_text_says(engine, text, kind, value) -> None:
    assert engine.http.put("/namespaces/tests/kv/typed", content=text).status_code == 200
    detail = engine.http.get("/namespaces/tests/kv/typed").json()
    assert (detail["type"], detail["value"]) == (kind, value)


def test_pairs_are_listed_and_deleted(engine) -> None:
    http = engine.http
    for key in ("a", "b"):
        http.put(f"/namespaces/tests.kv/kv/{key}", content='"x"')
    query = {"filters[namespace][EQUALS]": "tests.kv", "size": 100}
    assert {item["key"] for item in http.get("/kv", params=query).json()["results"]} == {"a", "b"}
    assert http.delete("/namespaces/tests.kv/kv/a").json() is True
    assert http.delete("/namespaces/tests.kv/kv/a").json() is False
    assert problem(http.get("/namespaces/tests.kv/kv/a"), 404)["detail"].startswith(
        "There is no key"
    )
    assert http.get("/kv", params=query).json()["total"] == 1


def test_a_pair_can_expire(engine, until) -> None:
    url = "/namespaces/tests.ttl/kv/brief"
    wrong = engine.http.put(url, content="1", headers={"ttl": "an hour"})
    assert "ttl" in problem(wrong, 400)["detail"]
    assert engine.http.put(url, content="1", headers={"ttl": "PT1S"}).status_code == 200
    assert engine.http.get(url).json()["value"] == 1
    until(lambda: engine.http.get(url).status_code == 410)


@pytest.mark.parametrize("text", ["two words", "{broken", "[1, 2"])
def test_a_pair_that_is_no_value_is_the_text_that_it_is(engine, text) -> None:
    assert engine.http.put("/namespaces/tests/kv/words", content=text).status_code == 200
    detail = engine.http.get("/namespaces/tests/kv/words").json()
    assert (detail["type"], detail["value"]) == ("STRING", text)


LONG = "x" * 5000


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("POST", "/namespaces/tests/files", {"path": f"/{LONG}"}),
        ("POST", "/namespaces/tests/files", {"path": "/" + "/".join(["deep"] * 1000)}),
        ("GET", "/namespaces/tests/files", {"path": f"/{LONG}"}),
        ("GET", "/namespaces/tests/files/directory", {"path": f"/{LONG}"}),
        ("DELETE", "/namespaces/tests/files", {"path": f"/{LONG}"}),
        ("POST", f"/namespaces/{LONG}/files", {"path": "/a"}),
        ("PUT", f"/namespaces/tests/kv/{LONG}", {}),
    ],
)
def test_a_name_that_no_file_can_have_is_refused(engine, method, path, query) -> None:
    body = {"files": {"fileContent": ("a", b"x")}} if method == "POST" else {}
    detail = problem(engine.http.request(method, path, params=query, **body), 422)["detail"]
    assert "bytes" in detail
    assert str(engine.folder) not in detail


def test_an_upload_with_a_name_that_no_file_can_have_is_refused(engine) -> None:
    engine.save("filed", "inputs: [{id: data, type: FILE}]\n" + LOG)
    answer = engine.http.post("/executions/tests/filed", files={"data": (LONG, b"x")})
    assert "bytes" in problem(answer, 422)["detail"]


@pytest.mark.parametrize("path", ["a b.txt", "code.zip", "_flows/a.yaml"])
def test_a_file_that_a_full_server_would_store_otherwise_is_not_taken(engine, path) -> None:
    part = {"fileContent": ("a", b"x")}
    problem(engine.http.post("/namespaces/tests/files", params={"path": path}, files=part), 501)


@pytest.mark.parametrize("path", ["/executions/x/file?path=%zz", "/flows/%zz"])
def test_a_broken_escape_is_a_bad_request(engine, path) -> None:
    with socket.create_connection(("127.0.0.1", engine.port)) as raw:
        login = base64.b64encode(f"{engine.user}:{engine.password}".encode()).decode()
        head = f"GET /api/v1/main{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        raw.sendall(f"{head}Authorization: Basic {login}\r\n\r\n".encode())
        assert b" 400 " in raw.recv(1000)


def test_namespace_files_are_kept_listed_and_deleted(engine) -> None:
    http, url = engine.http, "/namespaces/tests.files/files"
    for path, content in {"etl/a.py": b"1", "/etl/sub/b.py": b"22"}.items():
        part = {"fileContent": ("any", content)}
        assert http.post(url, params={"path": path}, files=part).status_code == 200
    assert http.get(url, params={"path": "/etl/sub/b.py"}).content == b"22"
    listed = http.get(f"{url}/directory", params={"path": "/etl"}).json()
    assert {(item["fileName"], item["type"]) for item in listed} == {
        ("a.py", "File"),
        ("sub", "Directory"),
    }
    for _ in ("there", "gone"):
        assert http.delete(url, params={"path": "/etl/sub/b.py"}).status_code == 200
    missing = problem(http.get(url, params={"path": "/etl/sub/b.py"}), 404)
    assert str(engine.folder) not in missing["detail"]
    problem(http.get(f"{url}/directory", params={"path": "/nowhere"}), 404)
    empty = http.get("/namespaces/tests.nothing/files/directory", params={"path": "/"})
    assert empty.json() == []


def test_a_path_out_of_the_namespace_is_refused(engine) -> None:
    problem(engine.http.get("/namespaces/tests/files", params={"path": "/../../etc/passwd"}), 422)


@pytest.mark.parametrize(
    "query",
    [
        {"filters[nothing][EQUALS]": "x"},
        {"filters[state][NEARLY]": "x"},
        {"filters[state][EQUALS]": "LOST"},
        {"filters[state][CONTAINS]": "RUN"},
        {"filters[scheduleDate][EQUALS]": "x"},
        {"filters[startDate][GREATER_THAN]": "yesterday"},
        {"filters[labels][EQUALS]": "x"},
        {"filters[flowId][EQUALS][key]": "x"},
        {"filters[or][0][flowId][EQUALS]": "x"},
        {"sort": "nothing:asc"},
        {"sort": "state.startDate:up"},
        {"page": "0"},
        {"size": "many"},
    ],
)
def test_a_search_that_cannot_be_understood_is_refused(engine, query) -> None:
    problem(engine.http.get("/executions/search", params=query), 400)


def test_a_sort_without_a_direction_is_refused(engine) -> None:
    problem(engine.http.get("/executions/search", params={"sort": "state.startDate"}), 422)
