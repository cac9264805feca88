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
    findings = target.sweep(Order(console, limit, change, provision.down))
    _close(console, findings, change)


def _close(console: Console, findings: Found, change: bool) -> None:
    """Say what came of it. Raises FailedError while anything of what goes is there."""
    verdicts, left = findings.verdicts, findings.left
    gone = [verdict for verdict in verdicts if verdict.goes]
    console.result(
        _shown(verdicts) if verdicts else None,
        {"changed": change, "found": [verdict.as_json() for verdict in verdicts], "left": left},
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
    shown = [verdict for verdict in verdicts if verdict.goes or verdict.kind != BUILD]
    rows = [
        (verdict.kind, verdict.name, "yes" if verdict.goes else "no", verdict.why)
        for verdict in shown
    ]
    if builds := len(verdicts) - len(shown):
        rows.append((BUILD, counted(builds, "other"), "no", "in use, or started lately"))
    drawn = table("Found", ["what", "name", "goes", "because"], rows)
    lines = [Text(plain(f"{verdict.name}: {verdict.why}")) for verdict in shown if not verdict.goes]
    return Group(drawn, *([Text()] if lines else []), *lines)
