"""`doctor`: what this machine and the project have for the chosen target, and what is missing.

It always ends with its table: what could not be looked at stands there too, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from taxistack.console import Console, counted, table
from taxistack.doctor import machine
from taxistack.doctor.check import Check, Found
from taxistack.errors import MissingError
from taxistack.targets import Target


def _checks(target: Target) -> Iterator[Check]:
    yield machine.python()
    yield machine.terraform()
    yield from target.doctor_checks()


def doctor(target: Target, console: Console) -> None:
    """Print the checks. Raises MissingError when one of them is not ok."""
    checks = list(_checks(target))
    bad = [check for check in checks if not check.ok]
    rows = [
        (check.name, check.state, check.found, "" if check.ok else check.needed) for check in checks
    ]
    shown = table(f"Target {target.name}", ["what", "state", "found", "needed"], rows)
    mends = [Text(f"{check.name}: {check.mend}") for check in bad if check.mend]
    console.result(
        Group(shown, Text(), Text("To mend it:", style="bold"), *mends) if mends else shown,
        [check.as_json() for check in checks],
    )
    if missing := [check.name for check in bad if check.state is Found.WRONG]:
        raise MissingError(f"missing: {', '.join(missing)}")
    if unknown := [check.name for check in bad if check.state is Found.UNKNOWN]:
        raise MissingError(f"not checked: {', '.join(unknown)}")
    untried = "".join(f"; {check.name} not tried" for check in bad)
    console.summary(f"{counted(len(checks) - len(bad), 'check')} passed{untried}")
