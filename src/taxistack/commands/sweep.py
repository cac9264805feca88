"""`sweep`: takes away what runs have left that nobody will come back for.

Each target finds and judges what is its own (`taxistack.sweeping`). Without `--yes` nothing is
changed.
"""

from __future__ import annotations

from taxistack.commands import provision
from taxistack.commands.ages import age
from taxistack.console import Console, counted, table
from taxistack.errors import FailedError
from taxistack.sweeping import Found, Order
from taxistack.targets import Target


def sweep(target: Target, console: Console, *, older_than: str, dry_run: bool = False) -> None:
    """Show what would go; with the console's `assume_yes` remove it, and prove that it is gone.

    Raises UsageError for a length of time that is none, FailedError while anything stays that
    should have gone.
    """
    limit = age("--older-than", older_than)
    change = console.assume_yes and not dry_run
    target.check_access()
    # Looked up now, and not when this module is loaded: tests put another one in its place.
    found = target.sweep(Order(console, limit, change, provision.down))
    _close(console, found, change)


def _close(console: Console, found: Found, change: bool) -> None:
    """Say what came of it. Raises FailedError while anything of what goes is there."""
    verdicts, left = found.verdicts, found.left
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
