"""`stop` and `start`: the local cloud's parts go and come back; nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxistack.commands.flows import redeploy
from taxistack.console import Console
from taxistack.errors import UsageError
from taxistack.targets import Target

if TYPE_CHECKING:
    from taxistack.targets.local import LocalTarget


def local(target: Target, command: str) -> LocalTarget:
    """The target as a local one. Raises UsageError on Google Cloud."""
    from taxistack.targets.local import LocalTarget  # not for every command of Google Cloud's

    if not isinstance(target, LocalTarget):
        raise UsageError(f"{command} is for the local target; this is {target.name}")
    return target


def stop(target: Target, console: Console) -> None:
    """Stop every part and keep its data."""
    cloud = local(target, "stop").cloud
    if not cloud.runs():
        console.summary("nothing runs")
        return
    cloud.stop()
    console.summary("stopped; `invoke start` brings everything back")


def start(target: Target, console: Console) -> None:
    """Start the parts; the flows learn the new endpoints when a port had to change."""
    here = local(target, "start")
    here.cloud.start()
    if here.cloud.instance_state() != "RUNNING":
        console.summary("the parts run; there is no Kestra instance yet: invoke up")
        return
    here.forget()
    version = here.wait_for_kestra()
    redeploy(here)
    console.summary(f"running: Kestra {version} at {here.kestra_url()}")
