"""`upgrade`: a newer Kestra over the same data, with a backup before and a proof after."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from taxistack.backups.versions import numbers
from taxistack.commands import backup, executions, flows, provision
from taxistack.console import Console
from taxistack.errors import FailedError, MissingError, TaxistackError, UsageError
from taxistack.targets import NAMESPACE

if TYPE_CHECKING:
    from taxistack.targets import Target

SMOKE = "hello_world"


def upgrade(target: Target, console: Console) -> None:
    """Keep everything, bring the server up as the setting `kestra_version` says, and try it.

    Raises UsageError for a version that is not newer and on the local target, MissingError when
    no flows are deployed to try it with, and whatever stops the new server, with the way back.
    """
    began = time.monotonic()
    wanted = target.settings.kestra_version
    target.check_upgrade()
    client = target.kestra()
    former = client.version()
    if numbers(wanted) <= numbers(former):
        raise UsageError(
            f"upgrade: the server is Kestra {former} already, and {wanted} is not newer",
            hint="--to names another version; the way back to an older one is invoke restore",
        )
    if client.kv.get(NAMESPACE, "source") is None:
        raise MissingError(
            "upgrade: no flows are deployed that the new server could be tried with",
            hint="invoke deploy-flows",
        )
    quiet = Console(assume_yes=console.assume_yes, out=console.err, err=console.err)
    kept = backup.backup(target, quiet)
    back = f"INVOKE_TAXISTACK_KESTRA_VERSION={former} invoke restore --name {kept.name}"
    try:
        _raise(target, quiet, wanted)
    except TaxistackError as error:
        error.hint = f"{error.hint + '; or ' if error.hint else ''}the way back: {back}"
        raise
    took = time.monotonic() - began
    console.result(None, {"from": former, "to": wanted, "backup": kept.name, "way_back": back})
    console.summary(
        f"upgraded from Kestra {former} to {wanted} ({took:.1f} s); the way back: {back}"
    )


def _raise(target: Target, console: Console, wanted: str) -> None:
    provision.up(target, console)
    flows.redeploy(target)  # asks the flow etl_environment which packages the server has
    executions.run(target, console, flow=SMOKE, inputs=[])
    there = target.kestra().version()
    if numbers(there) != numbers(wanted):
        raise FailedError(f"upgrade: the server is Kestra {there} still, and not {wanted}")
