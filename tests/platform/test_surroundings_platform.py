"""A whole stack in a shell with proxies and libpq's variables set: the same, and no proxy asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

MONTH = "2009-02"
"""A month that no other test loads; nor the one after it."""
LIBPQ = {
    "PGSSLMODE": "require",
    "PGSERVICE": "nosuch",
    "PGOPTIONS": "-csearch_path=mine",
    "PGHOSTADDR": "10.255.255.1",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Tokyo",
    "PGREQUIREAUTH": "none",
    "PGTARGETSESSIONATTRS": "standby",
}


@pytest.fixture(scope="module")
def proxy() -> Iterator[tuple[Mapping[str, str], list[str]]]:
    """The variables that name a proxy, and what that proxy was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.requestline)
            self.send_error(502)

        do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = do_CONNECT = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    yield dict.fromkeys(names, f"http://127.0.0.1:{server.server_port}"), asked
    server.shutdown()
    thread.join()
    server.server_close()


def answers(platform, environment: Mapping[str, str]) -> dict[str, object]:
    """What commands that only look say, without the times of it."""
    asked = {
        "status": ["status"],
        "env": ["status", "--env"],
        "plan": ["plan"],
        "deploy": ["deploy-flows"],
        "backfill": ["backfill", "--start", MONTH, "--end", "2009-03", "--dry-run"],
        "verify": ["verify", "--start", MONTH, "--end", MONTH],
        "executions": ["executions"],
    }
    said = {
        name: json.loads(platform.invoke(*line, "--json", **environment).stdout)
        for name, line in asked.items()
    }
    for part in said["status"]["parts"]:
        for name in ("uptime_s", "rss_bytes", "cpu", "detail"):  # they change from look to look
            del part[name]
    return said


def test_commands_say_the_same_and_no_proxy_hears_of_it(platform, proxy):
    from taxi_etl.month import Month

    variables, asked = proxy
    for taxi in ("green", "yellow"):
        platform.publish(taxi, Month.parse(MONTH), 100)
    # Deployed in such a shell, too, whatever another test has left; and loaded: the steps find
    # their database and their lake.
    platform.invoke("deploy-flows", **variables, **LIBPQ)
    platform.invoke("backfill", "--start", MONTH, "--end", MONTH, **variables, **LIBPQ)
    plain = answers(platform, {})
    assert {one["state"] for one in plain["verify"]} == {"loaded"}
    assert answers(platform, {**variables, **LIBPQ}) == plain
    for name, value in LIBPQ.items():
        one = platform.invoke("status", "--json", **{name: value})
        assert json.loads(one.stdout)["loaded"] == plain["status"]["loaded"], name
    assert asked == []


def test_a_stack_is_made_filled_proven_and_removed_in_such_a_shell(invoke_on, tmp_path, proxy):
    variables, asked = proxy
    state, environment = tmp_path / "state", {**variables, **LIBPQ}
    try:
        demo = ("demo", "--start", "2016-01", "--end", "2016-01", "--json")
        done = invoke_on(state, *demo, INVOKE_TAXISTACK_SAMPLE_ROWS="100", **environment)
        assert {one["state"] for one in json.loads(done.stdout)} == {"loaded"}
    finally:
        invoke_on(state, "down", "--yes", **environment)
    assert asked == []
