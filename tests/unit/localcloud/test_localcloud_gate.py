"""The gate: who has no key, and who comes from a web page, gets nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from localcloud import gate
from localcloud.layout import Layout

PORT = 15999
HERE = f"http://127.0.0.1:{PORT}"


async def part(scope, receive, send) -> None:
    request = Request(scope)
    await JSONResponse({"base": str(request.base_url)})(scope, receive, send)


def get(app: gate.Gate, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as client:
            return await client.get(path, headers=headers)

    return asyncio.run(call())


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(layout: Layout) -> Ask:
    app = gate.Gate(part, gate.key(layout), PORT)
    return lambda path, headers=None: get(app, path, headers)


def test_the_key_is_the_first_step_of_the_path_or_a_token(layout: Layout, ask):
    key = gate.key(layout)
    assert ask(f"/{key}/storage/v1/b").json() == {"base": f"{HERE}/{key}/"}
    with_token = ask("/storage/v1/b", headers={"Authorization": f"Bearer {key}"})
    assert with_token.json() == {"base": f"{HERE}/"}


@pytest.mark.parametrize("path", ["/", "", "/storage/v1/b", "/WRONG/storage/v1/b", "//", "/é"])
def test_without_it_nothing_is_told(layout: Layout, ask, path: str):
    key = gate.key(layout)
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Basic {key}"}):
        answer = ask(path, headers=headers)
        assert answer.status_code == 401
        assert key not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": f"evil.example:{PORT}"},  # a name that was made to mean 127.0.0.1
        {"Host": f"127.0.0.1.evil.example:{PORT}"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("open_to_all", [False, True])
def test_a_web_page_is_refused_even_with_the_key(layout: Layout, headers, open_to_all: bool):
    key = gate.key(layout)
    app = gate.Gate(part, None if open_to_all else key, PORT)
    answer = get(app, f"/{key}/x", headers)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_readiness_needs_no_key_and_tells_nothing_else(ask):
    answer = ask(gate.READY)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_part_without_a_key_is_open_to_programs(layout: Layout):
    app = gate.Gate(part, None, PORT)
    assert get(app, "/x").status_code == 200


def test_the_key_stays_and_is_the_owner_s_alone(layout: Layout):
    first = gate.key(layout)
    assert gate.key(layout) == first
    assert len(first) >= 40
    assert (layout.private / "endpoint.key").stat().st_mode & 0o777 == 0o600
