"""The local cloud under what goes wrong: crashes, kills, two at once, ports and folders."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.families import told
from tests.faults.stack import eventually

from localcloud import CloudError, LocalCloud, State, ports, processes, supervisor
from localcloud.errors import FolderError, MissingError
from localcloud.layout import write_private
from localcloud.record import Record
from taxistack import state_folder

ALWAYS = ("storage", "warehouse", "postgres", "releases", "google")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    made = LocalCloud(tmp_path / "cloud", cache=tmp_path / "cache")
    yield made
    made.stop()
    assert alive(made) == []


def alive(cloud: LocalCloud) -> list[psutil.Process]:
    return processes.belonging(Record.load(cloud.layout).id, cloud.layout.run)


def connect(state: State) -> psycopg.Connection:
    server = state.postgres
    return psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        dbname=server.database,
        password=server.password,
        autocommit=True,
    )


soon = partial(eventually, seconds=20)
"""What the local cloud mends by itself."""


def pids(cloud: LocalCloud) -> dict[str, int | None]:
    return {part.name: part.pid for part in cloud.status()}


def test_start_answers_on_every_port_and_stop_leaves_nothing(cloud: LocalCloud):
    state = cloud.start()
    ports = [part.port for part in cloud.status() if part.name in ALWAYS and part.port]
    for url in (f"{state.storage.url}/storage/v1/b?project=p", f"{state.warehouse.url}/healthz"):
        with urllib.request.urlopen(url) as answer:
            assert answer.status == 200
    with connect(state) as connection:
        assert connection.execute("SHOW server_version_num").fetchone()[0].startswith("18")
    with pytest.raises(psycopg.OperationalError, match="password"), connect_without_password(state):
        pass
    listening = [c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port in ports]
    assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}
    everyone = alive(cloud)
    assert len(everyone) >= 6
    cloud.stop()
    assert not [process for process in everyone if processes.is_alive(process)]
    assert cloud.state() is None
    assert {part.state for part in cloud.status()} == {"STOPPED"}
    assert not cloud.layout.lock.exists()
    assert not list(cloud.layout.private.glob("*.sock"))
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    cloud.stop()


def connect_without_password(state: State) -> psycopg.Connection:
    return psycopg.connect(
        host=state.postgres.host, port=state.postgres.port, user="postgres", password="wrong"
    )


def test_data_and_ports_survive_stop_and_start(cloud: LocalCloud):
    state = cloud.start()
    with connect(state) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    body = b'{"name": "kept"}'
    request = urllib.request.Request(
        f"{state.storage.url}/storage/v1/b?project=p", body, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).close()
    cloud.stop()
    again = cloud.start()
    assert replace(again, google=state.google) == state
    assert again.google.address == state.google.address
    with connect(again) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    with urllib.request.urlopen(f"{again.storage.url}/storage/v1/b/kept") as answer:
        assert answer.status == 200


def test_a_killed_part_is_started_again(cloud: LocalCloud):
    state = cloud.start()
    with connect(state) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    before = pids(cloud)
    for name in ALWAYS:
        os.kill(before[name], signal.SIGKILL)
    soon(
        lambda: all(
            part.state == "RUNNING" and part.pid not in (None, before[part.name])
            for part in cloud.status()
            if part.name in ALWAYS
        )
    )
    healed = cloud.start()
    assert healed.google.pid == pids(cloud)["google"]
    with connect(healed) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_part_that_keeps_crashing_is_told_by_status_and_start(cloud: LocalCloud):
    cloud.start()
    os.kill(pids(cloud)["storage"], signal.SIGKILL)
    data = cloud.layout.data("storage")
    data.rename(data.with_name("elsewhere"))
    data.write_text("a file where the folder was")
    soon(lambda: cloud.status()[0].state in ("STARTING", "BACKOFF", "EXITED", "FATAL"))
    with pytest.raises(CloudError, match="storage") as caught:
        cloud.start()
    assert str(cloud.layout.log("storage")) in caught.value.hint
    data.unlink()
    data.with_name("elsewhere").rename(data)
    cloud.start()
    soon(lambda: cloud.status()[0].state == "RUNNING")


def test_what_a_killed_supervisor_left_is_ended_before_the_next_start(cloud: LocalCloud):
    state = cloud.start()
    with connect(state) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    orphans = alive(cloud)
    supervisor = Record.load(cloud.layout).supervisor["pid"]
    os.kill(supervisor, signal.SIGKILL)
    soon(lambda: cloud.state() is None)
    assert {p.state for p in cloud.status() if p.name in ALWAYS} == {"ORPHANED"}
    again = cloud.start()
    assert not [process for process in orphans if processes.is_alive(process)]
    assert again.postgres == state.postgres, "the ports were given back"
    with connect(again) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_stop_ends_what_a_killed_supervisor_left(cloud: LocalCloud):
    cloud.start()
    everyone = alive(cloud)
    os.kill(Record.load(cloud.layout).supervisor["pid"], signal.SIGKILL)
    cloud.stop()
    assert not [process for process in everyone if processes.is_alive(process)]


def test_the_commands_see_and_end_what_a_killed_supervisor_left(cloud: LocalCloud, invoke_on):
    cloud.start()
    everyone = alive(cloud)
    os.kill(Record.load(cloud.layout).supervisor["pid"], signal.SIGKILL)
    state = cloud.layout.folder.parent
    assert "stopped" in invoke_on(state, "stop").stdout
    assert not [process for process in everyone if processes.is_alive(process)]
    assert "nothing runs" in invoke_on(state, "stop").stdout


def test_down_without_a_state_file_leaves_no_process(cloud: LocalCloud, invoke_on):
    cloud.start()
    everyone = alive(cloud)
    state_folder.claim(cloud.layout.folder.parent)
    cloud.layout.state.unlink()
    invoke_on(cloud.layout.folder.parent, "down", "--yes")
    assert not [process for process in everyone if processes.is_alive(process)]
    assert not cloud.layout.folder.exists()


def test_an_engine_that_is_not_built_is_told_before_anything_is_started(tmp_path, invoke_on):
    for command in ("up", "plan"):
        done = invoke_on(
            tmp_path / "state", command, code=3, TAXISTACK_CACHE=str(tmp_path / "empty")
        )
        assert f"the Kestra engine is not built in {tmp_path / 'empty'}" in done.stderr
        assert "try: Run scripts/bootstrap." in done.stderr
    assert not (tmp_path / "state").exists()


def test_an_instance_comes_back_only_with_its_engine(cloud: LocalCloud):
    cloud.layout.create()
    write_private(cloud.layout.kestra_config, json.dumps({"cache": str(cloud.cache)}))
    Record(instance="RUNNING").save(cloud.layout)
    with pytest.raises(MissingError, match="engine is not built"):
        cloud.start()
    assert alive(cloud) == []


def test_two_starts_at_once_give_one_cloud(cloud: LocalCloud):
    program = (
        "import sys; from pathlib import Path; from localcloud import LocalCloud;"
        "print(LocalCloud(Path(sys.argv[1])).start())"
    )
    command = [sys.executable, "-c", program, str(cloud.layout.folder)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1]
    assert len(told(alive(cloud), "supervisor.supervisord")) == 1


def test_the_parts_outlive_the_session_that_started_them(cloud: LocalCloud):
    program = (
        "import sys, os, signal; from pathlib import Path; from localcloud import LocalCloud;"
        "LocalCloud(Path(sys.argv[1])).start(); os.killpg(0, signal.SIGHUP)"
    )
    command = [sys.executable, "-c", program, str(cloud.layout.folder)]
    done = subprocess.run(command, start_new_session=True, check=False)
    assert done.returncode == -signal.SIGHUP
    assert cloud.state() is not None
    assert {part.state for part in cloud.status() if part.name in ALWAYS} == {"RUNNING"}
    terminals = {process.terminal() for process in alive(cloud)}
    assert terminals == {None}


def test_the_logs_are_rotated_and_the_oldest_go(cloud: LocalCloud, monkeypatch):
    monkeypatch.setattr("localcloud.supervisor._LOG_BYTES", "1KB")
    state = cloud.start()

    def oldest_is_kept(number: int) -> bool:
        with pytest.raises(psycopg.OperationalError), connect_without_password(state):
            pass  # the server logs each refused login
        return cloud.layout.log("postgres").with_suffix(f".log.{number}").exists()

    soon(lambda: oldest_is_kept(3))
    for _ in range(20):
        assert not oldest_is_kept(4)


def test_a_port_that_someone_took_is_replaced(cloud: LocalCloud):
    before = cloud.start()
    cloud.stop()
    with socket.create_server(("127.0.0.1", before.postgres.port)):
        after = cloud.start()
        assert after.postgres.port != before.postgres.port
        assert after.storage == before.storage
        connect(after).close()


def test_the_supervisor_holds_a_port_and_lets_it_go(cloud: LocalCloud):
    cloud.start()
    (port,) = ports.assign(["kestra"], {}).values()
    supervisor.hold(cloud.layout, [port])
    supervisor.hold(cloud.layout, [port])
    assert not ports.is_free(port)
    supervisor.let_go(cloud.layout, [port])
    supervisor.let_go(cloud.layout, [port])
    assert ports.is_free(port)
    with (
        socket.create_server((ports.HOST, port)),
        pytest.raises(CloudError, match=f"port {port}.*in use"),
    ):
        supervisor.hold(cloud.layout, [port])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"unknown": 1}', '{"id": 1}'])
def test_a_spoilt_state_file_is_replaced(cloud: LocalCloud, content: str):
    cloud.layout.create()
    cloud.layout.state.write_text(content)
    assert cloud.state() is None
    assert cloud.status() == []
    cloud.stop()


def test_a_stale_state_file_names_no_other_process(cloud: LocalCloud):
    cloud.start()
    cloud.stop()
    record = Record.load(cloud.layout)
    record.supervisor = {"pid": os.getpid(), "started": 1.0}
    record.save(cloud.layout)
    assert cloud.state() is None
    cloud.start()
    assert cloud.state() is not None


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="can't use"):
        LocalCloud(tmp_path / "file" / "cloud").start()
    with pytest.raises(FolderError, match="can't use"):
        LocalCloud(Path("/proc/1/cloud")).start()


def test_erase_removes_everything_once_it_is_stopped(cloud: LocalCloud):
    cloud.start()
    with pytest.raises(CloudError, match="stop it first"):
        cloud.erase()
    cloud.stop()
    cloud.erase()
    assert not cloud.layout.folder.exists()
    cloud.erase()


def test_no_secret_stands_outside_the_private_folder(cloud: LocalCloud):
    password = cloud.start().postgres.password.encode()
    for process in alive(cloud):
        assert password.decode() not in " ".join(process.cmdline())
    for path in cloud.layout.folder.rglob("*"):
        if path.is_file() and cloud.layout.private not in path.parents:
            assert password not in path.read_bytes(), path
    assert cloud.layout.private.stat().st_mode & 0o777 == 0o700
