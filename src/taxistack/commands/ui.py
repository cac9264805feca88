"""`ui`: the stack in the browser, until Ctrl-C."""

from __future__ import annotations

import contextlib
import threading
import webbrowser

from taxistack.console import Console
from taxistack.page import served
from taxistack.targets import Target
from taxistack.targets.gcp import GcpTarget
from taxistack.targets.local import LocalTarget
from taxistack.tunnels import KESTRA_PORT, keep_open


def ui(target: Target, console: Console, *, port: int, browser: bool) -> None:
    """Serve our page until Ctrl-C, and open it; where Kestra has its own, that is opened.

    `port`: of our page; 0: the usual one where it is free. On Google Cloud the tunnel to Kestra
    stays open as long.
    """
    version = target.kestra().version()
    kestras = None if _embedded(target) else f"{target.kestra_url()}/ui/"
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
            if isinstance(target, GcpTarget) and not target.ways.kestra_named:
                console.say("page and tunnel are open until Ctrl-C")
                keep_open([target.ways.tunnel(KESTRA_PORT)], console.say)
            console.say("the page is open until Ctrl-C")
            wait(threading.Event())
    console.summary("the page is closed")


def wait(event: threading.Event) -> None:
    """Until Ctrl-C, the seam for tests."""
    event.wait()


def _embedded(target: Target) -> bool:
    return isinstance(target, LocalTarget) and not target.cloud.instance_in_containers()
