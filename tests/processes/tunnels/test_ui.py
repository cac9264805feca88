"""`invoke ui`: where Kestra's page is, and what opens it."""

from __future__ import annotations

import io
import signal
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
    ui.ui(gcp_target(Path(sys.argv[1])), Console())
"""


@pytest.fixture
def console() -> Console:
    out, err = (RichConsole(file=io.StringIO(), width=200) for _ in range(2))
    return Console(out=out, err=err)


def _local(tmp_path: Path, containers: bool):
    target = open_target(settings_of(tmp_path / "state"))
    target.__dict__["cloud"] = SimpleNamespace(instance_in_containers=lambda: containers)
    target.kestra_url = lambda: "http://127.0.0.1:18080"
    target.__dict__["_kestra"] = SimpleNamespace(version=lambda: "2.0.0")
    return target


def test_the_embedded_engine_has_no_page_and_says_what_has_one(tmp_path, console):
    with pytest.raises(MissingError, match="the embedded engine has no page") as raised:
        ui.ui(_local(tmp_path, containers=False), console)
    assert "kestra: docker" in raised.value.hint


def test_a_server_in_containers_has_its_page_at_its_port(tmp_path, console, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    ui.ui(_local(tmp_path, containers=True), console)
    assert opened == ["http://127.0.0.1:18080/ui/"]
    assert console.out.file.getvalue() == "http://127.0.0.1:18080/ui/\n"


def test_without_a_browser_the_address_is_what_helps(tmp_path, console, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    ui.ui(_local(tmp_path, containers=True), console)
    assert "no browser could be started" in console.err.file.getvalue()


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
        assert "log in as admin@taxistack.dev" in process.stderr.readline()
        assert process.stderr.readline() == "the tunnel is open until Ctrl-C\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "the tunnel is closed\n", "")
    assert (tmp_path / "opened").read_text().strip() == page
    assert gone(gcloud.pids())
