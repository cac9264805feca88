"""`sweep`: takes away what runs have left that nobody will come back for.

On Google Cloud: every stack whose label `run` is a run's (not `manual`) and that has not changed
for a time; it is destroyed as `down` does, and then what no state knows is removed by exact name
and label. Locally: stacks in other state folders, and engine builds of clones that are gone.
Without `--yes` nothing is changed.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxistack import stacks
from taxistack.commands import provision
from taxistack.commands.ages import age, in_words
from taxistack.console import Console, counted, table
from taxistack.errors import FailedError, TaxistackError
from taxistack.removal import remove
from taxistack.stacks import BY_HAND, Stack
from taxistack.targets import Target

if TYPE_CHECKING:
    from taxistack.targets.gcp import GcpTarget


@dataclass(frozen=True)
class Verdict:
    """What becomes of one thing that was found, and why. `goes`: it is to be removed."""

    kind: str
    name: str
    goes: bool
    why: str

    def as_json(self) -> dict[str, Any]:
        """One row."""
        return vars(self)


def sweep(target: Target, console: Console, *, older_than: str, dry_run: bool = False) -> None:
    """Show what would go; with the console's `assume_yes` remove it, and prove that it is gone.

    Raises UsageError for a length of time that is none, FailedError while anything stays that
    should have gone.
    """
    limit = age("--older-than", older_than)
    change = console.assume_yes and not dry_run
    target.check_access()
    target.sweep(console, limit, change)


def judge(stack: Stack, limit: timedelta, now: datetime) -> Verdict:
    """Whether a stack goes: made by a run, one alone, and long without a sign of life."""
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


def close(console: Console, verdicts: list[Verdict], change: bool, left: list[str]) -> None:
    """Say what came of it. Raises FailedError while anything of what goes is there."""
    gone = [one for one in verdicts if one.goes]
    console.result(
        table(
            "Found",
            ["what", "name", "goes", "because"],
            [(one.kind, one.name, "yes" if one.goes else "no", one.why) for one in verdicts],
        )
        if verdicts
        else None,
        {"changed": change, "found": [one.as_json() for one in verdicts], "left": left},
    )
    if left:
        raise FailedError(
            f"sweep: {counted(len(left), 'thing')} stayed: " + "; ".join(left),
            hint="invoke sweep again tries once more",
        )
    kept = counted(len(verdicts) - len(gone), "other")
    if change or not gone:
        console.summary(f"sweep: {len(gone)} removed, {kept} let be; 0 left")
    else:
        console.summary(f"sweep: {len(gone)} would go, {kept} let be; --yes removes them")


def quiet(console: Console) -> Console:
    """The console of a `down` within a sweep: it asks nothing, and its result is a line."""
    return _Quiet(json=console.json, assume_yes=True, out=console.out, err=console.err)


class _Quiet(Console):
    def result(self, renderable: Any, data: Any) -> None:
        """Nothing: the sweep tells what is left."""

    def summary(self, text: str) -> None:
        """A line on the way."""
        self.say(f"  {text}")


class Cloud:
    """One sweep of a Google Cloud project."""

    def __init__(self, target: GcpTarget, console: Console, limit: timedelta) -> None:
        """`limit`: how long a stack has not changed that goes."""
        self.target, self.console, self.limit = target, console, limit
        self.project = target.project

    def run(self, change: bool) -> None:
        """Find, judge, and with `change` remove one after the other."""
        found = self._find()
        now = datetime.now(UTC)
        verdicts = [judge(one, self.limit, now) for one in found]
        going = {one.name for one in verdicts if one.goes}
        left: list[str] = []
        if change:
            with tempfile.TemporaryDirectory(prefix="taxistack-sweep-") as folder:
                for stack in found:
                    if stack.name in going:
                        self._take_away(stack, Path(folder), left)
            told = {line.split(":")[0] for line in left}
            again = {one.name for one in self._find()} & going - told
            left += [f"{name}: things of it are found still" for name in sorted(again)]
        close(self.console, verdicts, change, left)

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
                provision.down(target, inner, keep_data=False, force_unlock=lock)
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
            said = "; ".join(f"{one.thing.kind} {one.thing.name}: {one.why}" for one in kept)
            raise FailedError(said)

    def _target_of(self, stack: Stack, folder: Path) -> GcpTarget:
        """The target that this stack was made with, as far as its outputs tell."""
        told = stack.outputs
        zone = str(told.get("zone") or self.target.settings.zone)
        region = zone.rpartition("-")[0] if told.get("zone") else self.target.settings.region
        settings = replace(
            self.target.settings,
            name=stack.name,
            run=stack.run,
            state=folder,  # the operator's own stays with the operator's stack
            zone=zone,
            region=region,
            location=str(told.get("location") or self.target.settings.location),
        )
        return type(self.target)(settings)
