"""The user's environment: proxies and libpq's variables change no answer on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest

from taxi_etl.surroundings import POSTGRES, is_local, settle
from taxistack.settings import ROOT


class Recorder(BaseHTTPRequestHandler):
    """Notes what it is asked; a proxy's request line has a whole address."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_CONNECT = do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serving() -> Iterator:
    """Servers that note what they are asked: (url, list)."""
    servers = []

    def start():
        server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", server.asked

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


CLIENTS = """
import os, sys, urllib.request
from taxi_etl.surroundings import settle
settle(os.environ)
url = sys.argv[1]
import httpx, requests
httpx.get(url + "/httpx")
requests.get(url + "/requests")
urllib.request.urlopen(url + "/urllib").read()
from taxi_etl.site import Site
with Site() as http, http.answer("GET", url + "/source"):
    pass
from taxistack.kestra import KestraClient
client = KestraClient(url, "user", "Swordfish")
try:
    client.version()
except Exception:
    pass
"""


@pytest.mark.parametrize("already", [None, "corp.example, .internal"])
def test_nothing_of_this_machine_is_asked_through_a_proxy(serving, already):
    (site, asked), (proxy, through) = serving(), serving()
    names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    environment = {**os.environ, **dict.fromkeys(names, proxy)}
    environment.pop("no_proxy", None), environment.pop("NO_PROXY", None)
    if already:
        environment["NO_PROXY"] = already
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CLIENTS, site], env=environment, check=True
    )
    assert through == []
    assert asked[:4] == ["/httpx", "/requests", "/urllib", "/source"]
    assert asked[4].startswith("/api/v1/configs")


def test_a_socks_proxy_is_no_error_for_what_is_on_this_machine(serving, monkeypatch):
    from taxi_etl.month import Month
    from taxistack.backfill import source
    from taxistack.errors import MissingError
    from taxistack.kestra import KestraClient
    from taxistack.sources import require_answer

    site, asked = serving()
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with KestraClient(site, "user", "Swordfish") as client, pytest.raises(MissingError):
        client.version()  # it answers {}, which is no version
    require_answer(site, site)
    source.look(site, [("green", Month(2019, 1))])
    assert len(asked) == 3


def test_a_proxy_stays_for_the_world_outside_and_its_exceptions_too():
    environ = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "corp.example,127.0.0.1"}
    settle(environ)
    assert environ["HTTPS_PROXY"] == "http://proxy:3128"
    assert environ["NO_PROXY"] == environ["no_proxy"] == "corp.example,127.0.0.1,localhost,::1"
    again = dict(environ)
    settle(again)
    assert again == environ


def test_an_emulators_host_is_of_this_machine_too():
    environ = {"STORAGE_EMULATOR_HOST": "http://host.docker.internal:4443",
               "BIGQUERY_EMULATOR_HOST": "emulators:9050"}  # fmt: skip
    settle(environ)
    assert environ["NO_PROXY"].endswith("host.docker.internal,emulators")


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://127.0.0.1:8080/x", True), ("http://localhost", True), ("http://[::1]:1", True),
     ("http://127.9.9.9", True), ("http://128.0.0.1", False), ("https://localhost.example", False),
     ("", False)],
)  # fmt: skip
def test_which_addresses_are_of_this_machine(url, local):
    assert is_local(url) is local


def libpqs_own() -> set[str]:
    """Every variable that this libpq reads for a connection, as it says itself."""
    defaults = psycopg.pq.Conninfo.get_defaults()
    return {one.envvar.decode() for one in defaults if one.envvar}


def test_every_variable_that_libpq_reads_is_taken_out_but_those_that_a_step_is_told_by():
    known = libpqs_own()
    assert {"PGSSLMODE", "PGSERVICE", "PGOPTIONS", "PGHOSTADDR", "PGCLIENTENCODING"} <= known
    environ = dict.fromkeys([*known, "PGDATESTYLE", "PGTZ", "PGSERVICEFILE", "PGSYSCONFDIR"], "x")
    of_a_command = dict(environ)
    settle(of_a_command)
    assert not [name for name in of_a_command if name.startswith("PG")]
    of_a_step = dict(environ)
    settle(of_a_step, keep=POSTGRES)
    assert {name for name in of_a_step if name.startswith("PG")} == POSTGRES


def test_a_step_takes_them_out_before_it_connects(tmp_path):
    """As a process: libpq reads its own environment, not Python's picture of it."""
    program = (
        "import json, os, psycopg, taxi_etl.cli as cli\n"
        "cli.main(['sample', '--taxi', 'green', '--month', '2020-01', '--rows', '10', '--out',"
        " '.'])\n"
        "told = {one.keyword.decode(): (one.val or b'').decode()"
        " for one in psycopg.pq.Conninfo.get_defaults()}\n"
        "print(json.dumps({name: told[name] for name in ('sslmode', 'options', 'host')}))\n"
    )
    environment = {**os.environ, "PGSSLMODE": "require", "PGOPTIONS": "-csearch_path=mine",
                   "PGHOST": "127.0.0.1"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["host"] == "127.0.0.1"
    assert told["sslmode"] != "require"
    assert not told["options"]


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("INVOKE_TAXISTACK_PARALEL", "3", "INVOKE_TAXISTACK_PARALEL: there is no setting"),
        ("INVOKE_TAXISTACK_PARALLEL", "two", "setting parallel: 'two' must be a whole number"),
        ("INVOKE_TAXISTACK_DELETION_PROTECTION", "perhaps", "setting deletion_protection"),
    ],
)
def test_an_odd_variable_ends_a_command_before_it_begins(variable, text, told):
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "status"],
        cwd=ROOT,
        env={**os.environ, variable: text},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {told}")
    assert done.stderr.count("\n") == 1
