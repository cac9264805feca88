"""`--force-unlock`: releases the lock that a run has left which is gone.

With an ID that one lock is released. With `auto`, for CI, the lock is released if it is the own
run's: a lost runner's `up` has left it, and the `down` of the same run must get through. That is
read from the labels `run` in the state and on what exists, because a lock itself names no run.

The lock of a GCS backend is an object beside the state, and its ID is that object's generation.
It is removed here and not by `terraform force-unlock`: while there is no state yet, every command
of Terraform's wants the lock first, that one too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from taxistack.console import Console
from taxistack.errors import UsageError
from taxistack.stacks import BY_HAND, runs_in
from taxistack.targets import Target
from taxistack.terraform import Lock, StateLockedError

if TYPE_CHECKING:
    from google.cloud.storage import Blob

AUTO = "auto"


def release(target: Target, console: Console, wanted: str) -> None:
    """Release the lock with the ID `wanted`, or with `auto` the own run's if there is one.

    Raises UsageError when no lock has that ID, or when `auto` is asked for by hand;
    StateLockedError when the lock is not the own run's.
    """
    if wanted == AUTO:
        _refuse_by_hand(target)
    blob = _object(target, "tflock")
    if blob is None:
        if wanted == AUTO:
            return
        raise UsageError(f"the stack is not locked: there is no lock {wanted} to release")
    held = _read(blob)
    if wanted == AUTO:
        _refuse_anothers(target, held)
    elif held.id != wanted:
        raise UsageError(f"the lock's ID is {held.id}, held by {held.who}; not {wanted}")
    blob.delete(if_generation_match=blob.generation)
    console.say(f"released lock {held.id}")


def _object(target: Target, kind: str) -> Blob | None:
    bucket = target.storage().bucket(target.settings.tfstate_bucket)
    blob: Blob | None = bucket.get_blob(f"{target.settings.name}/default.{kind}")
    return blob


def _read(blob: Blob) -> Lock:
    record = json.loads(blob.download_as_bytes() or b"{}")
    return Lock(
        id=str(blob.generation),
        who=record.get("Who") or "somebody",
        operation=record.get("Operation", ""),
        created=record.get("Created", "").split(".")[0],
        path=f"gs://{blob.bucket.name}/{blob.name}",
    )


def _refuse_by_hand(target: Target) -> None:
    if target.settings.run == BY_HAND:
        raise UsageError(
            f"--force-unlock {AUTO}: setting run is `{BY_HAND}`: only a run with a name of its own "
            "can tell its lock from somebody else's",
            hint="give the lock's ID, or set INVOKE_TAXISTACK_RUN as the CI job does",
        )


def _refuse_anothers(target: Target, held: Lock) -> None:
    run, runs = target.settings.run, _runs(target)
    if runs != {run}:
        error = StateLockedError(held)
        whose = f"is of run {', '.join(sorted(runs))}" if runs else "shows no run yet"
        error.message = f"{error.message}; the stack {whose}, and this is run {run}"
        raise error


def _runs(target: Target) -> set[str]:
    """The labels `run` of everything in the state and in the project that belongs to the stack."""
    blob = _object(target, "tfstate")
    stack = target.settings.name
    runs = runs_in(json.loads(blob.download_as_bytes()), stack) if blob else set()
    things = [thing.labels for thing in target.inventory()]
    return runs | {labels["run"] for labels in things if labels.get("run")}
