"""The page as a server: its addresses, and its life beside the command that opened it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from taxistack.backfill.state import COURSE, DESTINATIONS, TAXIS
from taxistack.errors import MissingError, UsageError
from taxistack.page import executions, flows, triggers
from taxistack.page.answers import answered, in_thread
from taxistack.page.gate import HOST, Gate
from taxistack.page.months import Loads, grid
from taxistack.page.report import Report
from taxistack.targets import Target

STATIC = Path(__file__).parent / "static"
PORT = 8580
"""Always the same where it can be: the browser then knows the password."""
MOST_JSON = 1 << 20  # bytes; the longest list of months has far less
SCREENS = (
    "/", "/flows/{namespace}/{flow}", "/executions", "/executions/{id}", "/triggers", "/months",
)  # fmt: skip
CLOSING_S = 3
"""How long an answer that is under way may take once the page is closed."""


@dataclass(frozen=True)
class Served:
    """A page that is served."""

    port: int

    @property
    def url(self) -> str:
        """Its address, with nothing secret in it."""
        return f"http://{HOST}:{self.port}/"


def application(target: Target, port: int) -> Gate:
    """The page behind its gate."""
    client, loads, report = target.kestra(), Loads(target), Report(target)

    def get(path: str, call: Callable[[Request], Any]) -> Route:
        return Route(f"/api{path}", answered(call), methods=["GET"])

    def post(path: str, call: Callable[[Request, Mapping[str, Any]], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            body = await request.body() if _short(request) else b"!"
            return await in_thread(lambda: call(request, _object(body)))

        return Route(f"/api{path}", endpoint, methods=["POST"])

    async def execute(request: Request) -> Response:
        return await flows.execute(client, request)

    at = _at
    routes = [
        *(Route(path, _screen) for path in SCREENS),
        Mount("/static", StaticFiles(directory=STATIC)),
        get("/about", lambda _: about(target)),
        get("/flows", lambda _: flows.listed(client)),
        get("/flows/{namespace}/{flow}",
            lambda asked: flows.whole(client, at(asked, "namespace"), at(asked, "flow"))),
        Route("/api/flows/{namespace}/{flow}/execute", execute, methods=["POST"]),
        get("/executions", lambda asked: executions.listed(client, asked.query_params)),
        get("/executions/{id}", lambda asked: executions.whole(client, at(asked, "id"))),
        get("/executions/{id}/log", lambda asked: executions.log(
            client, at(asked, "id"), asked.query_params.get("level") or "INFO")),
        get("/executions/{id}/log.txt",
            lambda asked: executions.log_file(client, at(asked, "id"))),
        get("/executions/{id}/file", lambda asked: executions.file(
            client, at(asked, "id"), asked.query_params.get("path") or "")),
        post("/executions/{id}/{action}", lambda asked, _: executions.act(client, asked)),
        get("/triggers", lambda _: triggers.listed(client)),
        post("/triggers/{namespace}/{flow}/{trigger}/{action}",
             lambda asked, body: triggers.act(client, asked, body)),
        get("/months", lambda asked: grid(target, asked.query_params)),
        get("/loads", lambda _: loads.to_json()),
        post("/loads", lambda _, body: loads.start(body)),
        get("/report", lambda _: report.to_json()),
        post("/report", lambda _, body: report.start(body)),
        Route("/report", lambda _: report.whole()),
        Route("/charts/{name}", lambda asked: report.drawing(at(asked, "name"))),
    ]  # fmt: skip
    return Gate(
        Starlette(routes=routes), port, target.settings.kestra_user, target.kestra_password()
    )


def about(target: Target) -> dict[str, Any]:
    """What stands at the head of every screen, and what the months screen offers."""
    chosen = target.settings
    return {
        "name": chosen.name,
        "target": chosen.target,
        "kestra": target.kestra().version(),
        "user": chosen.kestra_user,
        "taxis": list(TAXIS),
        "course": list(COURSE),
        "destinations": list(DESTINATIONS),
        "start": chosen.start[:7],
        "end": chosen.end[:7],
    }


async def _screen(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


def _at(request: Request, name: str) -> str:
    return str(request.path_params[name])


def _short(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return length.isdecimal() and int(length) <= MOST_JSON


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UsageError("the body must be an object of JSON, of at most 1 MiB")
    return content


@contextmanager
def served(target: Target, port: int) -> Iterator[Served]:
    """The page, served until the block ends. `port` 0: `PORT` where it is free, else any other.

    Raises MissingError when a port that was named is taken.
    """
    listener = _listen(port) if port else _listen_somewhere()
    bound = int(listener.getsockname()[1])
    server = uvicorn.Server(
        uvicorn.Config(
            application(target, bound),
            log_level="critical",  # what is cut off at the end is nobody's concern
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=CLOSING_S,
        )
    )
    # In a thread it leaves Ctrl-C to the command.
    work = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    work.start()
    try:
        yield Served(bound)
    finally:
        server.should_exit = True
        work.join()
        listener.close()


def _listen_somewhere() -> socket.socket:
    try:
        return _listen(PORT)
    except MissingError:
        return _listen(0)


def _listen(port: int) -> socket.socket:
    # The number: without it asyncio waits for a client's acknowledgement between head and body.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise MissingError(
            f"--port {port}: can't be listened on: {error.strerror}",
            hint="another port; without the flag a free one is taken",
        ) from error
    listener.listen()
    return listener
