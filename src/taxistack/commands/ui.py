"""`ui`: the stack in the browser, until Ctrl-C."""

from __future__ import annotations

import contextlib
import threading
import webbrowser

from taxistack.console import Console
from taxistack.page import served
from taxistack.targets import Target
from taxistack.tunnels import KESTRA_PORT, keep_open


def ui(target: Target, console: Console, *, port: int, browser: bool) -> None:
    """Serve our page until Ctrl-C, and open it; where Kestra has its own, that is opened.

    `port`: of our page; 0: the usual one where it is free. On Google Cloud the tunnel to Kestra
    stays open as long.
    """
    version = target.kestra().version()
    kestras = target.kestras_page()
    with served(target, port) as page:
        months = f"{page.url}months"
        opened = kestras or page.url
        console.result(
            opened,
            {
                "url": opened,
                "page": page.url,
                "months": months,
                "version": version,
                "user": target.settings.kestra_user,
            },
        )
        if kestras:
            console.say(f"that is Kestra's own; the months are on ours: {months}")
        else:
            console.say("a page of taxistack's own: Kestra's is not in the embedded engine")
        console.say(
            f"log in as {target.settings.kestra_user}; `invoke status --env` has the password"
        )
        if browser and not webbrowser.open(opened):
            console.say("no browser could be started here: open the address yourself")
        with contextlib.suppress(KeyboardInterrupt):
            ways = target.ways
            if ways is not None and not ways.kestra_named:
                console.say("page and tunnel are open until Ctrl-C")
                keep_open([ways.tunnel(KESTRA_PORT)], console.say)
            console.say("the page is open until Ctrl-C")
            wait()
    console.summary("the page is closed")


def wait() -> None:
    """Until Ctrl-C."""
    threading.Event().wait()
