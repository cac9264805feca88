"""Another user of this machine, and a web page: what they try at the local cloud, and do not get.

The two break-ins that once worked stand here: through the provider stand-in another user became the
owner, and through the emulators anybody read and wrote the owner's files.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage
from tests.faults.stack import Stack, eventually, kept_dead

from localcloud import LocalCloud, State, processes
from localcloud.parts import PARTS
from localcloud.record import Record

NOBODY = 65534
QUERY = '{"query": "SELECT * FROM read_csv(\'/etc/passwd\')", "useLegacySql": false}'


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("owner")
    made = LocalCloud(folder / "cloud", cache=folder / "cache")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def state(cloud: LocalCloud) -> State:
    state = cloud.state()
    assert state is not None
    return state


def as_another_user(attempt: Callable[[], object]) -> str:
    """What `attempt` gives, or how it fails, in a process of user `nobody`."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            said = str(attempt())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def ask(
    port: int, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, str, str]:
    """One request as a program or a page would send it: status, text, and all headers."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, body, names)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), str(answer.headers).lower()


def take(port: int, host: str, *options: int) -> str:
    """Try to answer at `port` in a part's place."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        for option in options:
            server.setsockopt(socket.SOL_SOCKET, option, 1)
        server.bind((host, port))
        server.listen()
    return "taken"


def nobody_takes(port: int) -> None:
    """Another user can't, in any way that a program has."""
    address, both = socket.SO_REUSEADDR, socket.SO_REUSEPORT
    for host in ("127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1"):  # noqa: S104 (refused)
        for options in ((), (address,), (both,), (address, both)):
            said = as_another_user(partial(take, port, host, *options))
            assert "Address already in use" in said, (port, host, options, said)


def refused(port: int) -> bool:
    """Whether nobody listens there."""
    try:
        with suppress(ConnectionResetError):  # it was let in, and the one who listened died
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def listening(cloud: LocalCloud) -> dict[int, str]:
    """Every TCP port that a process of the local cloud listens on, and the process."""
    found = {}
    for process in processes.belonging(Record.load(cloud.layout).id, cloud.layout.run):
        for one in process.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN:
                found[one.laddr.port] = " ".join(process.cmdline())
    return found


def test_nothing_listens_but_what_asks_for_a_login(cloud: LocalCloud):
    parts = {part.port: part.name for part in cloud.status() if part.pid}
    names = {parts.get(port, command) for port, command in listening(cloud).items()}
    assert names == {"storage", "warehouse", "postgres", "releases"}


def test_every_socket_of_a_whole_stack_is_closed_to_others(own_stack: Stack):
    cloud = own_stack.target.cloud
    ports = Record.load(cloud.layout).ports
    names = {port: name for name, port in ports.items()}
    assert {names.get(port, command) for port, command in listening(cloud).items()} == set(ports)
    for process in own_stack.family():
        assert process.net_connections("udp") == []
        for one in process.net_connections("unix"):
            # The supervisor binds a name with a number at its end, which it then renames.
            name = re.sub(r"\.\d+$", "", Path(str(one.laddr)).name)
            assert not one.laddr or (cloud.layout.private / name).is_socket()
    page = {"Origin": "https://evil.example", "Content_Type": "text/plain"}
    path = "/api/v1/main/flows/search?size=1"
    for caller in (as_another_user, lambda attempt: str(attempt())):
        for name in ("storage", "warehouse", "kestra"):
            assert caller(partial(ask, ports[name], "GET", path)).startswith("(401, "), name
        for name in ("storage", "warehouse", "releases", "kestra"):
            said = caller(partial(ask, ports[name], "POST", path, QUERY, **page))
            assert said.startswith("(403, "), (name, said)
            assert "access-control" not in said
    for name in ("postgres", "kestra-controller"):  # neither speaks HTTP
        with pytest.raises(http.client.HTTPException):
            ask(ports[name], "POST", path, QUERY, **page)


@pytest.mark.parametrize("password", [None, "", "postgres"])
def test_another_user_gets_no_connection_to_postgres(state: State, password: str | None):
    server = state.postgres

    def connect() -> str:
        known = {"host": server.host, "port": server.port, "user": server.user}
        with psycopg.connect(**known, dbname=server.database, password=password):
            return "in"

    said = as_another_user(connect)
    assert said.startswith("OperationalError"), said
    assert "no password supplied" in said or "password authentication failed" in said


def test_another_user_does_not_reach_the_provider(cloud: LocalCloud, state: State):
    # The folder is opened here, so that nothing but its own permissions is in the way.
    folder = os.open(cloud.layout.private, os.O_RDONLY | os.O_DIRECTORY)
    for name in ("google.sock", "google-calls.sock", "supervisor.sock"):
        assert (cloud.layout.private / name).is_socket()

        def connect(path: str = f"/proc/self/fd/{folder}/{name}") -> str:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
            return "in"

        assert as_another_user(connect).startswith("PermissionError")
        assert connect() == "in", "the owner is let in"

    def read_key() -> str:
        return os.fdopen(os.open("endpoint.key", os.O_RDONLY, dir_fd=folder)).read()

    assert as_another_user(read_key).startswith("PermissionError")
    os.close(folder)


@pytest.mark.parametrize(
    "path", ["/", "/storage/v1/b?project=p", "/bigquery/v2/projects/p/queries"]
)
def test_another_user_gets_nothing_from_any_port(cloud: LocalCloud, state: State, path: str):
    known = {part.port: part.name for part in cloud.status() if part.name != "postgres"}
    asked = 0
    for port in set(listening(cloud)) & set(known):
        status, text, _ = ask(port, "POST", path, QUERY)
        assert status in (401, 405), (known[port], text)
        asked += 1
        said = as_another_user(lambda port=port: ask(port, "GET", path))
        wanted = 404 if known[port] == "releases" else 401
        assert said.startswith(f"({wanted}, "), (known[port], said)
        assert state.key not in said
    assert asked == 3


@pytest.mark.parametrize("name", ["storage", "warehouse", "releases"])
def test_another_user_does_not_take_the_port_of_a_dead_part(cloud: LocalCloud, name: str):
    (part,) = [one for one in cloud.status() if one.name == name]
    assert part.port
    supervisor = psutil.Process(int(Record.load(cloud.layout).supervisor["pid"]))
    with kept_dead(supervisor, psutil.Process(part.pid)):
        eventually(lambda: refused(part.port))
        nobody_takes(part.port)
    eventually(lambda: not refused(part.port))
    (again,) = [one for one in cloud.status() if one.name == name]
    assert (again.port, again.pid != part.pid) == (part.port, True)
    eventually(cloud.answers)


def test_another_user_does_not_take_the_ports_of_a_dead_engine(own_stack: Stack):
    target = own_stack.target
    cloud = target.cloud
    keeper = psutil.Process({part.name: part for part in cloud.status()}["kestra"].pid)
    engine = own_stack.part("kestra")
    ports = [Record.load(cloud.layout).ports[name] for name in PARTS["kestra"].ports]
    with kept_dead(own_stack.part("supervisor"), engine, keeper):
        for port in ports:
            eventually(lambda port=port: refused(port))
            nobody_takes(port)
    eventually(lambda: not any(refused(port) for port in ports), 180)
    target.wait_for_kestra()
    target.forget()


@pytest.mark.parametrize(
    "headers",
    [{"Host": "rebound.example"}, {"Origin": "https://evil.example"}],
    ids=["dns-rebinding", "cross-site"],
)
def test_a_web_page_gets_nothing_even_with_the_key(state: State, headers: dict[str, str]):
    for endpoint in (state.storage, state.warehouse, state.releases):
        port = int(endpoint.address.rsplit(":", 1)[1])
        for prefix in ("", endpoint.url.removeprefix(endpoint.address)):
            for method, path in (("POST", "/bigquery/v2/projects/p/queries"), ("GET", "/")):
                body = QUERY if method == "POST" else None
                status, text, answered = ask(
                    port, method, prefix + path, body, Content_Type="text/plain", **headers
                )
                assert status == 403, text
                assert "access-control" not in answered


def test_who_has_the_key_reads_and_writes_no_file_of_the_owner(
    cloud: LocalCloud, state: State, tmp_path: Path
):
    warehouse = bigquery.Client(
        "p", AnonymousCredentials(), client_options={"api_endpoint": state.warehouse.url}
    )
    target = tmp_path / "written"
    mine = tmp_path / "mine.csv"
    mine.write_text("a\n1\n")
    for statement in (
        f"SELECT * FROM read_csv('{mine}')",
        f"SELECT content FROM read_text('{cloud.layout.private / 'endpoint.key'}')",
        f"COPY (SELECT 1) TO '{target}'",
        f"EXPORT DATA OPTIONS (uri = 'file://{target}', format = 'CSV') AS SELECT 1",
    ):
        with pytest.raises(GoogleAPICallError):
            warehouse.query(statement, retry=None, job_retry=None).result()
    for uri in (f"file://{mine}", str(mine), "gs://../../../../../etc/passwd"):
        for kind in ("CSV", "AVRO", "ORC"):
            config = bigquery.LoadJobConfig(source_format=kind, autodetect=True)
            with pytest.raises(GoogleAPICallError):
                warehouse.load_table_from_uri(uri, "p.d.t", job_config=config, retry=None).result()
    lake = storage.Client(
        "p", credentials=AnonymousCredentials(), client_options={"api_endpoint": state.storage.url}
    )
    bucket = lake.bucket("owned") if lake.lookup_bucket("owned") else lake.create_bucket("owned")
    for name in ("../escaped", f"../../../../../../..{target}", str(target)):
        with pytest.raises(GoogleAPICallError):
            bucket.blob(name).upload_from_string(b"x", retry=None)
    assert not target.exists()
    assert not list(cloud.layout.folder.rglob("escaped"))
    for client in (warehouse, lake):
        client.close()
