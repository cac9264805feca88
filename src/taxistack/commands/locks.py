"""`--force-unlock`: releases the lock that a run has left which is gone.

With an ID that one lock is released. With `auto`, for CI, the lock is released if it is the own
run's: a lost runner's `up` has left it, and the `down` of the same run must get through. That is
read from the labels `run` in the state and on what exists, because a lock itself names no run.
"""

from __future__ import annotations

import json

from taxistack.console import Console
from taxistack.errors import UsageError
from taxistack.stacks import BY_HAND, runs_in
from taxistack.targets import Target
from taxistack.terraform import StateLockedError, Terraform

AUTO = "auto"


def release(target: Target, terraform: Terraform, console: Console, wanted: str) -> None:
    """Release the lock with the ID `wanted`, or with `auto` the own run's if there is one.

    Raises UsageError when no lock has that ID, or when `auto` is asked for by hand;
    StateLockedError when the lock is not the own run's.
    """
    if wanted == AUTO:
        lock_id = _own(target, terraform)
        if lock_id is None:
            return
        wanted = lock_id
    terraform.force_unlock(wanted)
    console.say(f"released lock {wanted}")


def _own(target: Target, terraform: Terraform) -> str | None:
    run = target.settings.run
    if run == BY_HAND:
        raise UsageError(
            f"--force-unlock {AUTO}: setting run is `{BY_HAND}`: only a run with a name of its own "
            "can tell its lock from somebody else's",
            hint="give the lock's ID, or set INVOKE_TAXISTACK_RUN as the CI job does",
        )
    held = terraform.lock()
    if held is None:
        return None
    runs = _runs(target)
    if runs != {run}:
        error = StateLockedError(held)
        whose = f"is of run {', '.join(sorted(runs))}" if runs else "shows no run yet"
        error.message = f"{error.message}; the stack {whose}, and this is run {run}"
        raise error
    return held.id


def _runs(target: Target) -> set[str]:
    """The runs that the state and the things of the stack tell of."""
    stack = target.settings.name
    bucket = target.storage().bucket(target.settings.tfstate_bucket)
    blob = bucket.get_blob(f"{stack}/default.tfstate")
    runs = runs_in(json.loads(blob.download_as_bytes()), stack) if blob else set()
    things = [one.labels for one in target.inventory()]
    return runs | {labels["run"] for labels in things if labels.get("run")}
