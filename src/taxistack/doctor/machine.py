"""What both targets need of this machine."""

from __future__ import annotations

import platform
import shlex
import sys

from taxistack.doctor.check import Check, Found
from taxistack.errors import TaxistackError
from taxistack.terraform import executable

BOOTSTRAP = "scripts/bootstrap"


def python() -> Check:
    """The interpreter that runs this."""
    enough = sys.version_info >= (3, 11)
    return Check.of("python", enough, platform.python_version(), "3.11 or newer", BOOTSTRAP)


def terraform() -> Check:
    """The Terraform that the commands run."""
    try:
        return Check("terraform", Found.OK, shlex.join(executable()))
    except TaxistackError as error:
        return Check("terraform", Found.WRONG, error.message, "Terraform", error.hint or "")
