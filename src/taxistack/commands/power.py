"""`stop` and `start`: the local cloud's parts go and come back; nothing is lost."""

from __future__ import annotations

from taxistack.commands.flows import redeploy
from taxistack.console import Console
from taxistack.targets import Target


def stop(target: Target, console: Console) -> None:
    """Stop every part and keep its data."""
    stopped = target.stop(console.say)
    console.summary("stopped; `invoke start` brings everything back" if stopped else "nothing runs")


def start(target: Target, console: Console) -> None:
    """Start the parts; the flows learn the new endpoints when a port had to change."""
    if not target.start():
        console.summary("the parts run; there is no Kestra instance yet: invoke up")
        return
    version = target.wait_for_kestra()
    redeploy(target)
    console.summary(f"running: Kestra {version} at {target.kestra_url()}")
