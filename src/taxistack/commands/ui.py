"""`ui`: Kestra's page in the browser, through a tunnel where there has to be one."""

from __future__ import annotations

import contextlib
import webbrowser

from taxistack.console import Console
from taxistack.errors import MissingError
from taxistack.targets import Target
from taxistack.targets.gcp import GcpTarget
from taxistack.targets.local import LocalTarget
from taxistack.tunnels import KESTRA_PORT, keep_open


def ui(target: Target, console: Console) -> None:
    """Open the page. On Google Cloud the tunnel stays open until Ctrl-C.

    Raises MissingError on the embedded engine, which has no page.
    """
    url = target.kestra_url()
    if isinstance(target, LocalTarget) and not target.cloud.instance_in_containers():
        raise MissingError(
            "the embedded engine has no page: it is Kestra without its user interface",
            hint="setting kestra: docker runs the official image, page included; `invoke status` "
            "and `invoke logs` show what the engine does",
        )
    version = target.kestra().version()
    page = f"{url}/ui/"
    console.result(page, {"url": page, "version": version, "user": target.settings.kestra_user})
    console.say(f"log in as {target.settings.kestra_user}; `invoke status --env` has the password")
    if not webbrowser.open(page):
        console.say("no browser could be started here: open the address yourself")
    if isinstance(target, GcpTarget) and not target.ways.kestra_named:
        with contextlib.suppress(KeyboardInterrupt):
            console.say("the tunnel is open until Ctrl-C")
            keep_open([target.ways.tunnel(KESTRA_PORT)], console.say)
        console.summary("the tunnel is closed")
