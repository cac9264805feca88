"""Every route that the kit calls, against right and wrong headers."""

from __future__ import annotations

import httpx
import pytest

from taxistack.kestra import KestraClient

from .conftest import NAMESPACE, run

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

    def ask(self, contract_server, ended, route: Route, **headers: str) -> httpx.Response:
        verb, path, *_ = route
        params = {"path": ended["file"]} if path.endswith("/file") else {"path": "/typed.txt"}
        if path.endswith("/directory"):
            params = {"path": "/"}
        if verb == "DELETE":
            params = {"path": "/nothing.txt"}
        with httpx.stream(
            verb,
            f"{contract_server[0]}/api/v1/{path.format(**ended)}",
            params=params if "file" in path else {},
            headers=headers,
            auth=contract_server[1:],
            timeout=60,
        ) as answer:
            answer.read()
        return answer

    @pytest.mark.parametrize("accept", [None, "*/*", "{makes}", "image/png, {makes};q=0.5"])
    @pytest.mark.parametrize("route", [one for one in routes() if one[0] == "GET"], ids=named)
    def test_a_read_makes_its_type_for_who_takes_it(self, contract_server, ended, route, accept):
        headers = {"Accept": accept.format(makes=route[2]) if accept else ""}
        answer = self.ask(contract_server, ended, route, **headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].split(";")[0] == route[2]

    @pytest.mark.parametrize("route", routes(), ids=named)
    def test_who_takes_only_other_types_gets_nothing(self, contract_server, ended, route):
        for accept in ("image/png", f"{route[2].split('/')[0]}/*", "application/problem+json"):
            assert self.ask(contract_server, ended, route, Accept=accept).status_code == 406, accept

    @pytest.mark.parametrize("route", [one for one in routes() if one[3]], ids=named)
    def test_a_body_of_another_type_is_refused(self, contract_server, ended, route):
        for kind in ("application/xml", "application/*"):
            answer = self.ask(contract_server, ended, route, **{"Content-Type": kind})
            assert answer.status_code == 415, kind

    @pytest.mark.parametrize("route", [one for one in routes() if one[3]], ids=named)
    def test_the_right_types_are_not_what_a_write_fails_by(self, contract_server, ended, route):
        kind = f"{route[3]}; boundary=x" if "multipart" in route[3] else route[3]
        headers = {"Accept": f"{route[2]}, application/problem+json", "Content-Type": kind}
        assert self.ask(contract_server, ended, route, **headers).status_code not in (406, 415)
