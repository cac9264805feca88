"""The stacks of a Google Cloud project that lost runs have left.

A stack goes when one run has made it, not a person (label `run`: `manual`), and neither its state
nor a thing of it has changed for a time. It is destroyed as `down` does, its dead lock released;
what no state knows is removed by exact name and label.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from taxistack import stacks
from taxistack.errors import FailedError, TaxistackError
from taxistack.removal import remove
from taxistack.stacks import BY_HAND, Stack
from taxistack.sweeping.verdict import Found, Order, Verdict, in_words, quiet

if TYPE_CHECKING:
    from taxistack.targets.gcp import GcpTarget


def judge(stack: Stack, limit: timedelta, now: datetime) -> Verdict:
    """Whether a stack is removed: one run made it, and nothing of it has changed for `limit`."""
    old = now - stack.last_change
    if not stack.run:
        runs = ", ".join(sorted(stack.runs)) or "none"
        return Verdict("stack", stack.name, False, f"no one run has made it (runs: {runs})")
    if stack.run == BY_HAND:
        return Verdict("stack", stack.name, False, "made by hand: run manual")
    if old < limit:
        why = f"run {stack.run} changed it {in_words(old)} ago"
        return Verdict("stack", stack.name, False, why)
    return Verdict("stack", stack.name, True, f"run {stack.run}, unchanged for {in_words(old)}")


class Sweep:
    """One sweep of a Google Cloud project."""

    def __init__(self, target: GcpTarget, order: Order) -> None:
        """`target`: the operator's; stacks are taken down by targets made after it."""
        self.target, self.order, self.console = target, order, order.console
        self.project = target.project

    def run(self) -> Found:
        """Find, judge, and if so asked remove one after the other."""
        stacks = self._find()
        now = datetime.now(UTC)
        verdicts = [judge(stack, self.order.limit, now) for stack in stacks]
        going = {verdict.name for verdict in verdicts if verdict.goes}
        left: list[str] = []
        if self.order.change:
            with tempfile.TemporaryDirectory(prefix="taxistack-sweep-") as folder:
                for stack in stacks:
                    if stack.name in going:
                        self._take_away(stack, Path(folder), left)
            known = {line.split(":")[0] for line in left}
            again = {stack.name for stack in self._find()} & going - known
            left += [f"{name}: things of it are found still" for name in sorted(again)]
        return Found(verdicts, left)

    def _find(self) -> list[Stack]:
        bucket = self.target.settings.tfstate_bucket
        return stacks.find(self.target.clients, self.project, bucket)

    def _take_away(self, stack: Stack, folder: Path, left: list[str]) -> None:
        """`down` on one stack; a failure is noted, and the others are not kept waiting for it."""
        self.console.say(f"{stack.name}: taking it down")
        target = self._target_of(stack, folder)
        inner = quiet(self.console)
        try:
            lock = stack.lock.id if stack.lock else ""
            if stack.has_state or lock:
                self.order.down(target, inner, keep_data=False, force_unlock=lock)
            else:
                self._remove(target, stack)
        except TaxistackError as error:
            left.append(f"{stack.name}: {error.message}")
        finally:
            target.forget()

    def _remove(self, target: GcpTarget, stack: Stack) -> None:
        """Without a state there is nothing for Terraform to destroy."""
        kept = remove(
            target.clients, self.project, stack.name, target.inventory(), self.console.say
        )
        if kept:
            said = "; ".join(f"{item.thing.kind} {item.thing.name}: {item.why}" for item in kept)
            raise FailedError(said)

    def _target_of(self, stack: Stack, folder: Path) -> GcpTarget:
        """The target that this stack was made with, as far as its outputs tell."""
        outputs = stack.outputs
        zone = str(outputs.get("zone") or self.target.settings.zone)
        region = zone.rpartition("-")[0] if outputs.get("zone") else self.target.settings.region
        settings = replace(
            self.target.settings,
            name=stack.name,
            run=stack.run,
            state=folder,  # the operator's own stays with the operator's stack
            zone=zone,
            region=region,
            location=str(outputs.get("location") or self.target.settings.location),
        )
        return type(self.target)(settings)
