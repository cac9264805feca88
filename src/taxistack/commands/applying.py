"""How a plan is applied: again where a refusal passes by itself or a killed run has made things."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from taxistack.console import Console, counted
from taxistack.errors import FailedError, UsageError
from taxistack.google import reason_to_wait
from taxistack.targets import Target
from taxistack.terraform import Plan, Terraform, TerraformError

# Seconds between two tries while Google tells its own parts of news: six minutes in all.
PAUSES = (10.0, 20.0, 30.0, 60.0, 60.0, 60.0, 60.0, 60.0)
# What holds data, and the output of infra/ that names it.
_HOLDERS = {"google_storage_bucket": "name", "google_bigquery_dataset": "dataset_id"}


class Apply:
    """One `up`'s planning and applying on one saved plan file."""

    def __init__(self, target: Target, console: Console, terraform: Terraform, path: Path) -> None:
        """`path`: where the plan is saved."""
        self._target, self._console, self._terraform = target, console, terraform
        self._path = path
        self._pauses: Iterator[float] = iter(PAUSES)
        self._adopted: set[str] = set()

    def plan(self) -> Plan:
        """Plan; plan again while Google refuses for a reason that passes by itself."""
        while True:
            try:
                return self._terraform.plan(out=self._path)
            except TerraformError as error:
                self._wait(error)

    def apply(self, planned: Plan) -> dict[str, float]:
        """Apply the saved plan to its end; the seconds of each resource by address.

        What a killed run made and could not record is adopted on the way, but only locally:
        nobody else has a hand in the local cloud, so whatever exists there under a name of the
        stack is the stack's. What depends on an adopted resource shows itself in the next apply
        only; each turn adopts something, so it ends. On Google Cloud refusals that pass by
        themselves are waited for, some minutes at most.
        """
        while True:
            try:
                return self._terraform.apply(planned).seconds
            except TerraformError as error:
                if not self._adopt(planned, error):
                    self._wait(error)
            planned = self.plan()

    def _adopt(self, planned: Plan, error: TerraformError) -> bool:
        new = set(error.existing) - self._adopted
        adopted = self._target.adopt(self._terraform, planned, error) if new else []
        for address in adopted:
            self._console.say(f"  adopted {address}: a run that was killed had made it")
        self._adopted |= set(adopted)
        return bool(adopted)

    def _wait(self, error: TerraformError) -> None:
        """Pause when every error passes by itself and there is patience left; else raise it."""
        failures = [
            diagnostic for diagnostic in error.diagnostics if diagnostic.severity == "error"
        ]
        reasons = {reason_to_wait(f"{failure.summary}\n{failure.detail}") for failure in failures}
        pause = next(self._pauses, None) if reasons and None not in reasons else None
        if pause is None:
            raise error
        why = "; ".join(sorted(filter(None, reasons)))
        self._console.say(f"  {why}: trying again in {pause:.0f} s")
        time.sleep(pause)


def refuse_moved_data(target: Target, terraform: Terraform, planned: Plan) -> None:
    """Raises UsageError when the plan would replace a bucket or dataset that holds data.

    Terraform would replace what is empty and fail at what is not: half of the stack would have
    moved by then.
    """
    if not any(
        change.action == "replace" and change.type in _HOLDERS for change in planned.changes
    ):
        return
    for change in terraform.show(planned)["resource_changes"]:
        actions, before = change["change"]["actions"], change["change"]["before"]
        name = _HOLDERS.get(change["type"])
        if name is None or set(actions) != {"create", "delete"}:
            continue
        if _holds_data(target, change["type"], before[name]):
            here, there = before["location"], change["change"]["after"]["location"]
            moved = f" (location {here} to {there})" if here != there else ""
            raise UsageError(
                f"setting location: {change['address']} would be replaced{moved}, and "
                f"{before[name]} holds data: nothing was changed",
                hint=f"keep location: {target.outputs.location}; or move: `invoke down`, `invoke "
                "up` with the new location, `invoke deploy-flows`, and load the months again",
            )


def _holds_data(target: Target, kind: str, name: str) -> bool:
    if kind == "google_storage_bucket":
        return any(True for _ in target.storage().list_blobs(name, max_results=1))
    dataset = f"{target.settings.project}.{name}"
    return any(True for _ in target.bigquery().list_tables(dataset, max_results=1))


def prove_empty(terraform: Terraform) -> None:
    """Plan again. Raises FailedError when anything would change still."""
    again = terraform.plan()
    if again.any:
        names = ", ".join(change.address for change in again.changes[:3])
        raise FailedError(
            f"the plan after apply is not empty: {counted(len(again.changes), 'change')} ({names})",
            hint="invoke plan shows them; a setting may fight with the provider's default",
        )
