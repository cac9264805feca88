"""`up`, `plan`, `down`: Terraform on the chosen target, with what it did made visible."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from invoke import Exit
from rich.table import Table

from taxistack.commands import locks
from taxistack.commands.applying import Apply, prove_empty, refuse_moved_data
from taxistack.commands.resources import Progress, changes_table, done_summary, effects_table
from taxistack.console import Console, counted, table
from taxistack.costs.month import NOT_COUNTED
from taxistack.errors import FailedError, NotConfirmedError, UsageError
from taxistack.inventory import Leftover
from taxistack.removal import Kept
from taxistack.scratch import scratch
from taxistack.targets import Target
from taxistack.terraform import Plan, Terraform

# What a destroy refuses while it holds data or is protected: these are applied first.
PROTECTED = (
    "google_storage_bucket.lake",
    "google_storage_bucket.kestra",
    "google_bigquery_dataset.trips",
    "module.kestra[0].google_compute_instance.kestra",
)


def _open(target: Target, console: Console, force_unlock: str = "", **extra: Any) -> Terraform:
    """Terraform on the stack, ready to plan; a lock named by the user is released first."""
    target.prepare(console.say)
    if force_unlock:  # before Terraform: without a state its first question waits for the lock
        locks.release(target, console, force_unlock)
    terraform = target.terraform(on_event=Progress(console), **extra)
    terraform.init()
    return terraform


@contextlib.contextmanager
def _plan_file(target: Target) -> Iterator[Path]:
    """Where a command saves its plan: another one's plan must not come in before it is applied."""
    with scratch(target.state_dir) as folder:
        yield folder / "next.tfplan"


def up(target: Target, console: Console, force_unlock: str = "") -> None:
    """Plan, apply, wait for Kestra, and plan again: the second plan must be empty."""
    began = time.monotonic()
    target.check()
    terraform = _open(target, console, force_unlock)
    seconds: dict[str, float] = {}
    with _plan_file(target) as path:
        work = Apply(target, console, terraform, path)
        planned = work.plan()
        if planned.any:
            refuse_moved_data(target, terraform, planned)
            _ask(target, console, planned)
            seconds = work.apply(planned)
    target.forget()
    if planned.any:  # while Kestra starts
        prove_empty(terraform)
    version = target.wait_for_kestra(say=console.say)
    rows = effects_table(target, target.resources(terraform), planned, seconds)
    changed = [row for row in rows if row[1] != "unchanged"]
    url, label = _kestra(target)
    console.result(
        table("Resources", ["resource", "action", "s#", "effect"], changed) if changed else None,
        {
            "kestra": {"url": url, "version": version},
            "changes": planned.counts,
            **_cost(target, console),
            "resources": [
                dict(zip(("resource", "action", "seconds", "effect"), r, strict=True)) for r in rows
            ],
        },
    )
    took = time.monotonic() - began
    console.summary(f"up: {done_summary(planned)}; Kestra {version} {label} ({took:.1f} s)")


def _cost(target: Target, console: Console) -> dict[str, Any]:
    """Tell what a month of the stack costs, where something does; for the JSON result."""
    cost = target.monthly_cost()
    if cost is None:
        return {}
    console.sketch(cost.table())
    console.say(f"the stack costs {cost.line}; not counted: {NOT_COUNTED}")
    return {"cost": cost.as_json()}


def _kestra(target: Target) -> tuple[str | None, str]:
    """Where Kestra answers from now on, as a URL and in words; None: through a tunnel only."""
    url = target.lasting_kestra_url()
    return url, f"at {url}" if url else "answers; `invoke ui` opens its page"


def _ask(target: Target, console: Console, planned: Plan) -> None:
    """Show the plan and have it approved; if nobody is asked, not one that only creates."""
    if target.asks or set(planned.counts) - {"create"}:
        console.err.print(changes_table("Terraform will", planned))
    changes = counted(len(planned.changes), "change")
    question = f"Apply {changes} to project {target.settings.project}?"
    if target.asks and not console.confirm(question):
        raise FailedError("nothing was changed: the plan was not approved")


def plan(target: Target, console: Console, *, out: str, detailed_exitcode: bool) -> None:
    """Show what `up` would change; with `out` keep the plan in that file."""
    path = Path(out).absolute() if out else None
    if path and not path.parent.is_dir():
        raise UsageError(f"--out {out}: the folder {path.parent} does not exist")
    target.check()
    planned = _open(target, console).plan(out=path)
    console.result(
        changes_table("Terraform would", planned) if planned.any else None,
        {**planned.as_json(), **_cost(target, console)},
    )
    console.summary(f"plan: {planned.describe()}" + (f"; saved in {out}" if out else ""))
    if detailed_exitcode and planned.any:
        raise Exit(code=10)


def drift(target: Target, console: Console) -> None:
    """What was changed behind Terraform's back. Raises FailedError when something was.

    Raises MissingError when there is no stack, or it was stopped: a question starts nothing.
    """
    stack = target.outputs.labels["stack"]
    planned = _open(target, console).plan(refresh_only=True)
    changes = planned.drift
    rows = [(change.address, change.action) for change in changes]
    console.result(
        table("Drift", ["resource", "what happened"], rows) if rows else None,
        [{"resource": address, "change": action} for address, action in rows],
    )
    if changes:
        drifted = counted(len(changes), "resource")
        raise FailedError(f"{drifted} drifted", hint="invoke up restores what it was")
    console.summary(f"no drift: everything of stack {stack} is as Terraform left it")


def _show_what_goes(target: Target, planned: Plan, console: Console, keep_data: bool) -> bool:
    console.err.print(changes_table("Terraform will", planned))
    kept = " The lake and the tables are kept." if keep_data else " Lake and tables go with it."
    return console.confirm(f"Destroy stack {target.settings.name} on {target.name}?{kept}")


def down(
    target: Target,
    console: Console,
    *,
    keep_data: bool,
    force_unlock: str = "",
    dry_run: bool = False,
) -> None:
    """Destroy the stack; locally the parts stop too. Ends with an inventory: 0 left.

    `dry_run`: show what would go, and leave it.
    """
    began = time.monotonic()
    if target.nothing_here():
        console.summary("down: nothing is up; 0 left")
        return
    try:
        planned = _destroy(target, console, keep_data, force_unlock, dry_run)
    except Exception as error:
        if dry_run or keep_data or not target.can_go_without_terraform(error):
            raise
        _erase(target, console, error, began)
        return
    if dry_run:
        _tell_what_would_go(planned, console, keep_data)
        return
    _close(target, console, planned, keep_data, began)


def _destroy(
    target: Target, console: Console, keep_data: bool, force_unlock: str, dry_run: bool
) -> Plan:
    """Let Terraform destroy what it knows; what it did, or with `dry_run` would do."""
    extra = {"compute_enabled": False} if keep_data else {}
    terraform = _open(
        target,
        console,
        force_unlock,
        force_destroy=not keep_data,
        deletion_protection=False,
        **extra,
    )
    with _plan_file(target) as path:
        planned = terraform.plan(out=path, destroy=not keep_data)
        if planned.any and not dry_run:
            if not _show_what_goes(target, planned, console, keep_data):
                raise NotConfirmedError("nothing was destroyed: not confirmed")
            if _lift_protection(target, terraform, keep_data):
                # What goes was looked at a moment ago. What somebody deletes meanwhile is deleted
                # twice, which every API takes.
                with _unlocked():
                    terraform.plan_and_apply(destroy=not keep_data, refresh=keep_data)
            else:
                terraform.apply(planned)
    return planned


@contextlib.contextmanager
def _unlocked() -> Iterator[None]:
    """Says, when the command ends within it, that protection was lifted: that much has changed."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"{error}; the protection of what holds data is lifted until `invoke up` protects it "
            "again, or `invoke down` is through"
        ) from None


def _erase(target: Target, console: Console, error: Exception, began: float) -> None:
    """Take a stack away that Terraform can't reach: on a full disk, say, where it can't write."""
    console.say(f"Terraform can't destroy the stack: {error}")
    if not console.confirm("Remove the local cloud as a whole, without Terraform?"):
        raise NotConfirmedError("nothing was destroyed: not confirmed") from error
    target.forget()
    target.retire(keep_data=False, say=console.say)
    if not target.nothing_here():
        raise FailedError("the local cloud is not gone", hint="invoke down again") from error
    took = f"({time.monotonic() - began:.1f} s)"
    console.result(None, {"destroyed": 0, "unknown": [], "left": [], "kept": []})
    console.summary(f"down: the local cloud was removed without Terraform; 0 left {took}")


def _tell_what_would_go(planned: Plan, console: Console, keep_data: bool) -> None:
    console.result(
        changes_table("Terraform would", planned) if planned.any else None, planned.as_json()
    )
    kept = "; the lake and the tables would be kept" if keep_data else ""
    console.summary(f"down --dry-run, nothing was changed: {planned.describe()}{kept}")


def _lift_protection(target: Target, terraform: Terraform, keep_data: bool) -> bool:
    """Unlock what holds data, and a protected VM, before they go; False: there is none.

    What was unlocked before stays as it is; a plan that was saved before this is overtaken.
    """
    held = {resource for resource in target.resources(terraform) if resource in PROTECTED}
    chosen = [address for address in PROTECTED if address in held]
    if keep_data:
        chosen = [address for address in chosen if "instance" in address]
        # The instance is unlocked in place before it goes: with compute_enabled it still is there.
        terraform = target.terraform(deletion_protection=False)
    if chosen:
        terraform.plan_and_apply(targets=chosen)
    return bool(chosen)


def _close(target: Target, console: Console, planned: Plan, keep_data: bool, began: float) -> None:
    if not keep_data:
        target.clear_snapshots(console.say)
    unknown = [] if keep_data else sorted(target.inventory())
    kept = _remove_unknown(target, unknown, console) if unknown else []
    target.forget()
    target.retire(keep_data=keep_data, say=console.say)
    left = sorted(target.what_is_left(unknown)) if unknown else []
    took = f"({time.monotonic() - began:.1f} s)"
    data = {
        "destroyed": len(planned.changes),
        "unknown": [thing.as_json() for thing in unknown],
        "left": [thing.as_json() for thing in left],
        "kept": target.exceptions(),
    }
    console.result(_things("Left", left) if left else None, data)
    for line in target.exceptions():
        console.say(f"not part of the stack and kept: {line}")
    if left:
        raise _things_left(target, left, kept)
    kept_words = "the lake and the tables are kept" if keep_data else "0 left"
    swept = f", {len(unknown)} that Terraform did not know went too" if unknown else ""
    destroyed = counted(len(planned.changes), "resource")
    console.summary(f"down: {destroyed} destroyed{swept}; {kept_words} {took}")


def _remove_unknown(target: Target, unknown: list[Leftover], console: Console) -> list[Kept]:
    """Show what a killed run left outside the state, ask, and remove it."""
    console.err.print(_things("Not in Terraform's state", unknown))
    fate = "go with the local cloud" if target.retires_unknown else "are of this stack by name"
    if not console.confirm(f"These {len(unknown)} {fate}. Remove them?"):
        raise NotConfirmedError(
            f"{counted(len(unknown), 'thing')} not in Terraform's state, not removed: not confirmed"
        )
    return target.remove(unknown, console.say)


def _things_left(target: Target, left: list[Leftover], kept: list[Kept]) -> FailedError:
    why = "".join(f"\n  {item.thing.kind} {item.thing.name}: {item.why}" for item in kept)
    return FailedError(
        f"{counted(len(left), 'thing')} of stack {target.settings.name} "
        f"{'is' if len(left) == 1 else 'are'} left{why}",
        hint="invoke down again tries once more; what bears no mark of the stack is somebody "
        "else's, or is to be removed by hand",
    )


def _things(title: str, things: list[Leftover]) -> Table:
    return table(title, ["kind", "name"], [(thing.kind, thing.name) for thing in things])
