"""`ui`: Kestra's page in the browser, through a tunnel where there has to be one."""

from __future__ import annotations

import contextlib
import webbrowser

from taxistack.console import Console
from taxistack.targets import Target
from taxistack.tunnels import KESTRA_PORT, keep_open


def ui(target: Target, console: Console) -> None:
    """Open the page. On Google Cloud the tunnel stays open until Ctrl-C.

    Raises MissingError on the embedded engine, which has no page.
    """
    page = target.page()
    version = target.kestra().version()
    console.result(page, {"url": page, "version": version, "user": target.settings.kestra_user})
    console.say(f"log in as {target.settings.kestra_user}; `invoke status --env` has the password")
    if not webbrowser.open(page):
        console.say("no browser could be started here: open the address yourself")
    ways = target.ways
    if ways is not None and not ways.kestra_named:
        with contextlib.suppress(KeyboardInterrupt):
            console.say("the tunnel is open until Ctrl-C")
            keep_open([ways.tunnel(KESTRA_PORT)], console.say)
        console.summary("the tunnel is closed")
