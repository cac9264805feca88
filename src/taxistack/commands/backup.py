"""`backup` and `restore`: what can't be loaded again, kept and proven to have come back."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from taxistack.backfill.executions import LIVE
from taxistack.backups import Backup, Contents, Vault, contents_of, new_name
from taxistack.backups.versions import numbers
from taxistack.commands.flows import redeploy, settings_of_flows
from taxistack.console import Console, counted, table
from taxistack.errors import FailedError, NotConfirmedError, TransientError, UsageError
from taxistack.kestra import Unavailable
from taxistack.targets import NAMESPACE, Target


def backup(target: Target, console: Console) -> Backup:
    """Keep Kestra's database and PostgreSQL. Raises FailedError while executions run."""
    began = time.monotonic()
    vault = target.vault()
    vault.check()
    _refuse_living(target, "backup")
    now = datetime.now(UTC).replace(microsecond=0)  # as its name says it
    made = Backup(
        name=new_name(now),
        stack=target.settings.name,
        target=target.name,
        project=target.settings.project,
        kestra=target.kestra().version(),
        contents=_contents(target, now),
    )
    place = vault.save(made, console.say)
    target.forget()
    target.wait_for_kestra(say=console.say)
    console.result(None, {"name": made.name, "where": place, "contents": vars(made.contents)})
    console.summary(f"backup {made.name}: {_words(made.contents)}; {place} ({_took(began)})")
    return made


def backups(target: Target, console: Console) -> None:
    """List the backups of the stack, oldest first. Raises FailedError for records not whole."""
    vault = target.vault()
    whole, broken = [], []
    for name in vault.names():
        try:
            whole.append(vault.read(name))
        except FailedError as error:
            broken.append(error.message)
    rows = [
        (
            backup.name,
            backup.kestra,
            backup.contents.executions,
            backup.contents.ledger,
            backup.contents.rows,
        )
        for backup in whole
    ]
    columns = ["backup", "Kestra", "executions#", "months#", "rows#"]
    console.result(
        table("Backups (UTC)", columns, rows) if rows else None,
        [
            {"name": backup.name, "kestra": backup.kestra, "contents": vars(backup.contents)}
            for backup in whole
        ],
    )
    if broken:
        raise FailedError(f"{counted(len(broken), 'backup')} can't be read: " + "; ".join(broken))
    console.summary(counted(len(whole), "backup"))


def restore(target: Target, console: Console, *, name: str) -> None:
    """Put a backup back, and compare what is there then with what it held.

    Raises UsageError for a backup that this stack can't take, FailedError when executions run or
    when what came back is not what the backup held.
    """
    began = time.monotonic()
    vault = target.vault()
    vault.check()
    chosen = vault.chosen(name)
    if chosen.target != target.name:
        raise UsageError(f"backup {chosen.name} is of target {chosen.target}, not {target.name}")
    try:
        _refuse_newer(target, chosen)
        _refuse_living(target, "restore")
    except (TransientError, Unavailable) as error:  # that may be why it is restored
        console.say(f"Kestra does not answer, and is not asked what runs: {error}")
    lost = f"What was done since {chosen.made:%Y-%m-%d %H:%M} UTC is lost."
    stack = target.settings.name
    if not console.confirm(
        f"Replace Kestra's database and PostgreSQL of stack {stack} by backup {chosen.name}? {lost}"
    ):
        raise NotConfirmedError("nothing was restored: not confirmed")
    _load(target, console, vault, chosen)
    differences = chosen.contents.differences(_contents(target, chosen.made))
    console.result(None, {"name": chosen.name, "differences": differences})
    for line in differences:
        console.failure(line)
    if differences:
        raise FailedError(
            f"backup {chosen.name} was put back, and {counted(len(differences), 'thing')} differ "
            "from what it held"
        )
    console.summary(
        f"restored {chosen.name}: {_words(chosen.contents)}, compared equal ({_took(began)}); "
        "BigQuery and the lake: invoke verify says what to load again"
    )


def _load(target: Target, console: Console, vault: Vault, chosen: Backup) -> None:
    vault.load(chosen, console.say)
    target.forget()
    target.wait_for_kestra(say=console.say)
    # Endpoints may have moved since, and the clone's flows may be newer than the backup's.
    redeploy(target)


def _contents(target: Target, until: datetime) -> Contents:
    passing = settings_of_flows(target, "")
    return contents_of(target, NAMESPACE, passing, until)


def _refuse_living(target: Target, doing: str) -> None:
    """What runs would be cut off half way."""
    living = list(target.kestra().executions.search(states=LIVE, limit=3))
    if living:
        names = ", ".join(f"{execution.flow_id} {execution.id}" for execution in living)
        raise FailedError(
            f"{doing}: executions run ({names}), and would be cut off half way",
            hint="wait for their end (invoke executions), or end them: invoke cancel ID",
        )


def _refuse_newer(target: Target, chosen: Backup) -> None:
    there = target.kestra().version()
    if numbers(there) < numbers(chosen.kestra):
        raise UsageError(
            f"backup {chosen.name} is of Kestra {chosen.kestra}, and the server is {there}: an "
            "older server can't read a newer one's database",
            hint=f"on Google Cloud setting kestra_version: {chosen.kestra} and invoke up; a local "
            "engine is its clone's: restore it from the clone that made it, or a newer one",
        )


def _words(held: Contents) -> str:
    return (
        f"{counted(held.executions, 'execution')}, {counted(held.ledger, 'month')} with "
        f"{held.rows:,} rows"
    )


def _took(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
