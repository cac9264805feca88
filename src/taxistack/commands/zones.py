"""The zones of a stack: loaded by their flow, where a destination does not have them yet."""

from __future__ import annotations

from taxistack import zones
from taxistack.console import Console
from taxistack.errors import FailedError
from taxistack.targets import NAMESPACE, Target


def load(target: Target, console: Console) -> None:
    """Run the flow `taxi_zones` unless both destinations have the table.

    A source without them is no failure. Raises FailedError when the flow fails.
    """
    if zones.are_loaded(target):
        return
    client = target.kestra()
    execution = client.executions.create(NAMESPACE, zones.FLOW)
    execution = client.executions.wait(execution.id)
    if execution.state == "WARNING":
        console.say("the source has no zones: location ids stand without names")
    elif not execution.succeeded:
        raise FailedError(
            f"{zones.FLOW} ended {execution.state}",
            hint=f"invoke logs --execution {execution.id}",
        )
