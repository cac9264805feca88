"""`upgrade`: a newer Kestra over the same data, with a backup before and a proof after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxistack.backups.versions import numbers
from taxistack.commands import backup, executions, flows, provision
from taxistack.errors import TaxistackError, UsageError

if TYPE_CHECKING:
    from taxistack.console import Console
    from taxistack.targets import Target

SMOKE = "hello_world"


def upgrade(target: Target, console: Console) -> None:
    """Keep everything, bring the server up as the setting `kestra_version` says, and try it.

    Raises UsageError for a version that is not newer and on the local target, and whatever stops
    the new server, with the way back.
    """
    wanted = target.settings.kestra_version
    target.check_upgrade()
    former = target.kestra().version()
    if numbers(wanted) <= numbers(former):
        raise UsageError(
            f"upgrade: the server is Kestra {former} already, and {wanted} is not newer",
            hint="--to names another version; the way back to an older one is invoke restore",
        )
    kept = backup.backup(target, console)
    back = f"INVOKE_TAXISTACK_KESTRA_VERSION={former} invoke restore --name {kept.name}"
    try:
        provision.up(target, console)
        flows.redeploy(target)  # asks the flow etl_environment which packages the server has
        executions.run(target, console, flow=SMOKE, inputs=[])
    except TaxistackError as error:
        error.hint = f"{error.hint + '; or ' if error.hint else ''}the way back: {back}"
        raise
    console.summary(f"upgraded from Kestra {former} to {wanted}; the way back: {back}")
