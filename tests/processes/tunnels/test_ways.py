"""The target's ways to Kestra and PostgreSQL: tunnels by themselves, settings that override."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from rich.console import Console as RichConsole

from localcloud import postgres
from localcloud.layout import Layout
from taxistack.commands import status
from taxistack.commands import tunnel as tunnel_command
from taxistack.console import Console
from taxistack.errors import FailedError, LockedError, MissingError, UsageError
from taxistack.kestra import KestraClient
from taxistack.kestra.problems import Unavailable
from taxistack.targets import Outputs

from .conftest import INSTANCE, gcp_target, gone, with_path

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "Secret-of-the-stack1"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def console() -> Console:
    """A console whose two streams can be read."""
    out, err = (RichConsole(file=io.StringIO(), width=200) for _ in range(2))
    return Console(out=out, err=err)


# --- Kestra -----------------------------------------------------------------------------------


def test_kestra_is_asked_through_a_tunnel_of_its_own(target, gcloud):
    assert target.kestra().version() == "2.0.0"
    assert target.kestra().version() == "2.0.0"
    assert len(gcloud.pids()) == 1
    target.forget()
    assert gone(gcloud.pids())


def test_a_tunnel_that_dies_on_the_way_is_open_again_at_the_next_call(target, gcloud):
    client = target.kestra()
    client.version()
    os.kill(gcloud.pids()[0], signal.SIGKILL)
    assert gone(gcloud.pids())
    assert client.version() == "2.0.0"
    assert len(gcloud.pids()) == 2


def test_a_server_that_goes_away_behind_the_tunnel_is_told_without_start(target, server):
    client = target.kestra()
    client.version()
    server.shutdown()
    server.server_close()
    with pytest.raises(Unavailable) as raised:
        client.version()
    assert "invoke start" not in f"{raised.value.message} {raised.value.hint}"


def test_without_a_vm_it_is_said(target, gcloud):
    target.outputs.instance = None
    with pytest.raises(MissingError, match="has no VM: only its data was kept"):
        target.kestra()
    assert gcloud.pids() == []


def test_the_setting_overrides_the_tunnel(tmp_path, server, gcloud):
    named = gcp_target(tmp_path / "state", kestra_url=f"http://127.0.0.1:{server.server_port}/")
    assert named.kestra().version() == "2.0.0"
    assert gcloud.pids() == []
    named.forget()


def test_a_dead_override_is_told_at_once_with_its_setting(tmp_path, gcloud):
    dead = gcp_target(tmp_path / "state", kestra_url=f"http://127.0.0.1:{_free_port()}")
    with pytest.raises(MissingError, match="setting kestra_url: nothing answers at") as raised:
        dead.kestra().version()
    assert "INVOKE_TAXISTACK_KESTRA_URL" in raised.value.hint
    assert "invoke start" not in raised.value.hint
    dead.forget()


HEALTHY = SimpleNamespace(wait_until_healthy=lambda seconds, say: None, by_hand="look there")


def test_the_vms_boot_report_is_asked_first_also_where_the_setting_is_set(tmp_path, monkeypatch):
    monkeypatch.setattr("taxistack.targets.gcp.PAUSE", 0)
    dead = gcp_target(tmp_path / "state", kestra_url=f"http://127.0.0.1:{_free_port()}")
    looks = [FailedError("the boot failed"), None]

    def wait(seconds: float, say: object) -> None:
        if (error := looks.pop(0)) is not None:
            raise error

    dead._machine = lambda: SimpleNamespace(wait_until_healthy=wait, by_hand="look there")
    with pytest.raises(FailedError, match="the boot failed"):
        dead.wait_for_kestra()
    with pytest.raises(MissingError, match="setting kestra_url"):
        dead.wait_for_kestra()
    assert looks == []
    dead.forget()


def test_after_the_boot_report_kestra_itself_is_asked(target, gcloud):
    target._machine = lambda: HEALTHY
    assert target.wait_for_kestra() == "2.0.0"
    assert len(gcloud.pids()) == 1


def test_a_server_that_starts_anew_is_waited_for_and_not_without_end(target, gcloud, monkeypatch):
    monkeypatch.setattr("taxistack.targets.gcp.PAUSE", 0)
    monkeypatch.setattr("taxistack.targets.gcp.ANSWER", 0)
    target._machine = lambda: HEALTHY
    gcloud.serve(INSTANCE, p8080=_free_port())
    with pytest.raises(FailedError, match="says that it is healthy, but Kestra did not answer"):
        target.wait_for_kestra()


def test_requests_to_the_tunnel_pass_by_the_shells_proxy(target, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{_free_port()}")
    assert isinstance(target.kestra(), KestraClient)
    assert target.kestra().version() == "2.0.0"


# --- PostgreSQL -------------------------------------------------------------------------------

SERVE = """
    import os, sys
    from pathlib import Path
    from localcloud import postgres
    from localcloud.layout import Layout
    command = postgres.command(Layout(Path(sys.argv[1])), int(sys.argv[2]))
    os.execv(command[0], command)
"""


@pytest.fixture
def database(tmp_path, target, gcloud):
    """A real PostgreSQL with the VM's database and user, at the VM's port 5432."""
    layout, port = Layout(tmp_path / "vm"), _free_port()
    for folder in (layout.private, layout.data("postgres").parent):
        folder.mkdir(parents=True, exist_ok=True)
    owner = {"host": "127.0.0.1", "port": port, "user": postgres.USER, "dbname": postgres.DATABASE}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVE), layout.folder, str(port)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stderr=subprocess.DEVNULL,
    )
    try:
        with _connected(process, owner, layout) as connection:
            connection.execute(f"CREATE ROLE taxi LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("CREATE DATABASE taxi OWNER taxi")
        gcloud.serve(INSTANCE, p5432=port)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _connected(process, owner, layout) -> psycopg.Connection:
    while True:
        assert process.poll() is None
        try:
            return psycopg.connect(**owner, password=postgres.password(layout), autocommit=True)
        except psycopg.OperationalError:
            continue


def test_postgres_is_reached_through_a_tunnel_of_its_own(target, database, gcloud):
    with target.postgres() as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("taxi",)
    os.kill(gcloud.pids()[0], signal.SIGKILL)
    assert gone(gcloud.pids())
    with target.postgres() as connection:
        (rows,) = connection.execute("SELECT count(*) FROM generate_series(1, 200000)").fetchone()
    assert rows == 200_000


def test_a_postgres_that_the_settings_name_in_vain_is_told_so(tmp_path):
    dead = gcp_target(tmp_path / "state", postgres_port=_free_port())
    with pytest.raises(MissingError, match=r"PostgreSQL at 127\.0\.0\.1") as raised:
        dead.postgres()
    assert "settings postgres_host and postgres_port" in raised.value.hint


def test_a_named_host_has_the_usual_port(tmp_path):
    named = gcp_target(tmp_path / "state", postgres_host="db.example")
    assert named.postgres_address() == {
        "host": "db.example",
        "port": 5432,
        "dbname": "taxi",
        "user": "taxi",
    }


# --- the commands -----------------------------------------------------------------------------

COMMAND = """
    import sys
    from pathlib import Path
    from taxistack.commands import tunnel
    from taxistack.console import Console
    from tests.processes.tunnels.conftest import gcp_target
    target = gcp_target(Path(sys.argv[1]))
    tunnel.tunnel(target, Console(), kestra_port=int(sys.argv[2]), postgres_port=int(sys.argv[3]))
"""


@pytest.fixture
def running(tmp_path, target, gcloud, server):
    """`invoke tunnel` in a process of its own, with the ports that it was asked for."""
    gcloud.serve(INSTANCE, p5432=server.server_port)  # something that listens is enough here
    ports = [_free_port(), _free_port()]
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(COMMAND), tmp_path / "state", *map(str, ports)],
        env={**with_path(gcloud), "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}:{ROOT / 'scripts'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process, ports
        process.kill()


def _first_lines(process) -> list[str]:
    lines = []
    while not lines or not lines[-1].startswith("export TAXI_DATASET"):
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    return lines


def test_tunnel_holds_both_ways_open_until_ctrl_c(target, running, gcloud, console):
    process, (kestra, database) = running
    lines = _first_lines(process)
    assert f"export KESTRA_URL=http://127.0.0.1:{kestra}\n" in lines
    assert f"export PGPORT={database}\n" in lines
    assert PASSWORD not in "".join(lines)

    values = status.environment(target)  # another command, meanwhile
    assert values["KESTRA_URL"] == f"http://127.0.0.1:{kestra}"
    assert values["DATABASE_URL"] == f"postgresql://taxi:{PASSWORD}@127.0.0.1:{database}/taxi"
    with pytest.raises(LockedError, match="runs already"):
        tunnel_command.tunnel(target, console, kestra_port=0, postgres_port=0)

    started = gcloud.pids()
    assert len(started) == 2
    os.kill(started[0], signal.SIGKILL)
    told = [process.stderr.readline() for _ in range(4)]
    assert told[2] == "the tunnel to port 8080 was cut; opening it again\n"
    assert told[3] == "the tunnel to port 8080 is open again\n"

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "the tunnels are closed\n", "")
    assert gone(gcloud.pids())
    assert target.lasting_kestra_url() is None


def test_status_says_what_keeps_a_way_open(target, console):
    status.status(target, console, env=True, drift=False)
    assert "KESTRA_URL" not in console.out.file.getvalue()
    assert "TAXI_BUCKET=lake" in console.out.file.getvalue()
    assert "`invoke tunnel` keeps them open" in console.err.file.getvalue()


def test_status_shows_the_stack_where_no_way_leads_to_its_tables(target, console, monkeypatch):
    def unreachable(*_: object) -> None:
        raise MissingError("gcloud is not on PATH", hint="install it")

    target.__dict__["outputs"] = Outputs(
        *("lake", "kestra", "trips", "staging", "some-project", "z", "US"), {}, INSTANCE
    )
    monkeypatch.setattr("taxistack.backfill.ledger.read", unreachable)
    target.__dict__["google"] = SimpleNamespace(check=lambda: None)  # tests/gcp has a real one
    status.status(target, console, env=False, drift=False)
    shown = console.out.file.getvalue()
    assert re.search(r"^bucket +lake\b", shown, re.MULTILINE)
    assert "behind a tunnel: invoke ui" in shown
    assert "gcloud is not on PATH; install it" in shown


@pytest.mark.parametrize(
    ("ports", "rule"),
    [
        ((70000, 0), "--kestra-port 70000: must be a port"),
        ((0, -1), "--postgres-port -1: must be a port"),
        ((8080, 8080), "--postgres-port 8080: is --kestra-port's already"),
    ],
)
def test_ports_that_can_not_be_are_refused(target, console, ports, rule):
    with pytest.raises(UsageError, match=rule):
        tunnel_command.tunnel(target, console, kestra_port=ports[0], postgres_port=ports[1])


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_tunnel_that_is_cut_while_postgres_is_asked_in_is_opened_again(
    target, database, gcloud, after
):
    def ask(_: int) -> tuple[str]:
        with target.postgres() as connection:
            return connection.execute("SELECT current_user").fetchone()

    gcloud.cut(5432, after)
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(ask, range(3))) == {("taxi",)}
    assert gcloud.is_cut(5432)
