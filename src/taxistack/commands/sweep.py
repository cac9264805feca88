"""`sweep`: takes away what runs have left that nobody will come back for.

Each target finds and judges what is its own (`taxistack.sweeping`). Without `--yes` nothing is
changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from taxistack.commands import provision
from taxistack.commands.ages import age
from taxistack.console import Console, counted, plain, table
from taxistack.errors import FailedError
from taxistack.sweeping import BUILD, Found, Order, Verdict
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
        _shown(verdicts) if verdicts else None,
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


def _shown(verdicts: Sequence[Verdict]) -> Group:
    """What goes and what stays in a table; whole, below it, why each stack that stays does."""
    told = [one for one in verdicts if one.goes or one.kind != BUILD]
    rows = [(one.kind, one.name, "yes" if one.goes else "no", one.why) for one in told]
    if builds := len(verdicts) - len(told):
        rows.append((BUILD, counted(builds, "other"), "no", "in use, or started lately"))
    drawn = table("Found", ["what", "name", "goes", "because"], rows)
    lines = [Text(plain(f"{one.name}: {one.why}")) for one in told if not one.goes]
    return Group(drawn, *([Text()] if lines else []), *lines)
