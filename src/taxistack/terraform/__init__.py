"""Terraform, run for the operator: init, plan, apply, outputs, with clear errors and no leaks.

python-terraform builds the command lines; the processes are run here, because they must be
interrupted gently, streamed line by line, and kept free of the user's own Terraform settings.
"""

from taxistack.terraform.driver import Terraform
from taxistack.terraform.errors import Diagnostic, Lock, StateLockedError, TerraformError
from taxistack.terraform.program import executable
from taxistack.terraform.results import Applied, ApplyResult, Change, Event, Plan
from taxistack.terraform.working import at_rest

__all__ = [
    "Applied",
    "ApplyResult",
    "Change",
    "Diagnostic",
    "Event",
    "Lock",
    "Plan",
    "StateLockedError",
    "Terraform",
    "TerraformError",
    "at_rest",
    "executable",
]
