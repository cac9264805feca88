"""`invoke ui`: where Kestra's page is, and what opens it."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console as RichConsole
from tests.conftest import settings_of

from taxistack.commands import ui
from taxistack.console import Console
from taxistack.errors import MissingError
from taxistack.targets import open_target

from .conftest import gone, with_path

ROOT = Path(__file__).resolve().parents[3]
COMMAND = """
    import sys
    from pathlib import Path
    from taxistack.commands import ui
    from taxistack.console import Console
    from tests.processes.tunnels.conftest import gcp_target
    ui.ui(gcp_target(Path(sys.argv[1])), Console(), port=0, browser=True)
"""


@pytest.fixture
def console() -> Console:
    out, err = (RichConsole(file=io.StringIO(), width=200) for _ in range(2))
    return Console(out=out, err=err)


@pytest.fixture(autouse=True)
def ctrl_c(monkeypatch):
    """Whoever waits for Ctrl-C gets it at once."""

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(ui, "wait", interrupted)


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The addresses that a browser was opened at."""
    found: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: found.append(url) or True)
    return found


def _local(tmp_path: Path, containers: bool):
    target = open_target(settings_of(tmp_path / "state"))
    target.__dict__["cloud"] = SimpleNamespace(instance_in_containers=lambda: containers)
    target.kestra_url = lambda: "http://127.0.0.1:18080"
    target.kestra_password = lambda: "Right-password-1"
    target.__dict__["_kestra"] = SimpleNamespace(version=lambda: "2.0.0")
    return target


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_embedded_engine_has_our_page_and_says_whose_it_is(tmp_path, console, opened):
    port = _free_port()
    ui.ui(_local(tmp_path, containers=False), console, port=port, browser=True)
    assert opened == [f"http://127.0.0.1:{port}/"]
    assert console.out.file.getvalue() == f"http://127.0.0.1:{port}/\nthe page is closed\n"
    assert "taxistack's own" in console.err.file.getvalue()


def test_a_server_in_containers_has_its_own_page_and_the_months_are_on_ours(
    tmp_path, console, opened
):
    port = _free_port()
    ui.ui(_local(tmp_path, containers=True), console, port=port, browser=True)
    assert opened == ["http://127.0.0.1:18080/ui/"]
    assert console.out.file.getvalue().startswith("http://127.0.0.1:18080/ui/\n")
    assert f"http://127.0.0.1:{port}/months" in console.err.file.getvalue()


def test_no_browser_is_opened_where_none_is_wanted(tmp_path, console, opened):
    ui.ui(_local(tmp_path, containers=False), console, port=0, browser=False)
    assert opened == []


def test_without_a_browser_the_address_is_what_helps(tmp_path, console, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    ui.ui(_local(tmp_path, containers=True), console, port=0, browser=True)
    assert "no browser could be started" in console.err.file.getvalue()


def test_a_port_that_is_taken_is_named(tmp_path, console):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MissingError, match=f"--port {port}"):
            ui.ui(_local(tmp_path, containers=False), console, port=port, browser=False)


def test_on_google_cloud_the_tunnel_stays_open_until_ctrl_c(tmp_path, server, gcloud):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >"{tmp_path}/opened"\n')
    browser.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(COMMAND), tmp_path / "state"],
        env={
            **with_path(gcloud),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}:{ROOT / 'scripts'}",
            "BROWSER": f"{browser} %s",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        page = process.stdout.readline().strip()
        assert page.startswith("http://127.0.0.1:")
        assert page.endswith("/ui/")
        assert "/months" in process.stderr.readline()
        assert "log in as admin@taxistack.dev" in process.stderr.readline()
        assert process.stderr.readline() == "page and tunnel are open until Ctrl-C\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "the page is closed\n", "")
    assert (tmp_path / "opened").read_text().strip() == page
    assert gone(gcloud.pids())
