"""How Terraform's work looks to a person: a live line or plain lines, and the tables after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from taxistack.console import Console, table
from taxistack.targets import Target
from taxistack.terraform import Event, Plan

DONE = {"create": "created", "update": "updated", "delete": "destroyed", "replace": "replaced"}

# Terraform warns of -target, with which `down` lifts the protection of what holds data.
OWN_DOING = {
    "Warning: Resource targeting is in effect",
    "Warning: Applied changes may be incomplete",
}


class Progress:
    """Terraform's events as lines on stderr: what was changed, and in how many seconds.

    Warnings are shown; errors are not, because they end the command with the same words.
    """

    def __init__(self, console: Console) -> None:
        """`console`: where the lines go."""
        self._console = console

    def __call__(self, event: Event) -> None:
        """Show one event, or nothing when it says nothing to a person."""
        if event.type == "apply_complete":
            seconds = event.data["hook"].get("elapsed_seconds", 0)
            word = DONE.get(event.action, event.action)
            self._console.say(f"  {word} {event.address} ({seconds} s)")
        elif event.message in OWN_DOING:
            return
        elif event.type == "text" or event.data.get("@level") == "warn":
            self._console.say(f"  {event.message}")


def changes_table(title: str, planned: Plan) -> Table:
    """The planned changes, a row each."""
    rows = [(change.action, change.address, change.reason) for change in planned.changes]
    return table(title, ["action", "resource", "because"], rows)


def done_summary(planned: Plan) -> str:
    """What an applied plan did, in one line: `33 created`, or `no changes`."""
    parts = [f"{number} {DONE.get(action, action)}" for action, number in planned.counts.items()]
    return ", ".join(parts) or planned.describe()


def _kind(address: str) -> str:
    # module.kestra[0].google_compute_disk.data["x"] -> google_compute_disk
    parts = address.split("[")[0] if not address.startswith("module.") else address
    names = [part for part in parts.replace("]", ".").split(".") if part.startswith("google_")]
    return names[0] if names else ""


def effects_table(
    target: Target, addresses: Sequence[str], planned: Plan, seconds: Mapping[str, float]
) -> list[tuple[str, str, str, str]]:
    """Rows (resource, action, seconds, effect) of everything that the stack consists of.

    The effect tells, on the local target, what is a record and nothing else.
    """
    actions = {change.address: change.action for change in planned.changes}
    return [
        (
            address,
            DONE.get(actions.get(address, ""), "unchanged"),
            f"{seconds[address]:.1f}" if address in seconds else "",
            "recorded only" if target.recorded_only(_kind(address)) else "real",
        )
        for address in sorted(addresses)
        if not address.startswith("terraform_data.") and ".terraform_data." not in address
    ]
