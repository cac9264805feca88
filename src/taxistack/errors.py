"""What can go wrong on the operator's side, and the exit code that each family ends with.

    TaxistackError
    ├── UsageError          exit 2   a flag, a setting or a file breaks a rule
    ├── MissingError        exit 3   something is not on this machine or not in the project
    ├── LockedError         exit 4   somebody else works on the same stack
    └── FailedError         exit 1   it ran and failed (terminal: trying again gives the same)
        ├── NotConfirmedError   exit 1   the user did not say yes
        └── TransientError      exit 1   it ran and failed, and trying again may succeed

A message says which step, which object, what is half done and what to do next; it never
carries a secret. `hint` is printed on a line of its own.
"""

from __future__ import annotations

from taxi_etl.errors import without_key


class TaxistackError(Exception):
    """The root of the tree; `exit_code` is what the command ends with."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """`message`: one sentence or more, for a person. `hint`: what to do next."""
        self.message = without_key(message)
        super().__init__(self.message)
        self.hint = hint


class UsageError(TaxistackError):
    """Wrong use: the message names the flag, setting or file and the rule it breaks."""

    exit_code = 2


class MissingError(TaxistackError):
    """Something that the command needs is missing on this machine or in the project."""

    exit_code = 3


class LockedError(TaxistackError):
    """Somebody else holds the lock; the message names them."""

    exit_code = 4


class FailedError(TaxistackError):
    """The command ran and failed."""

    exit_code = 1


class NotConfirmedError(FailedError):
    """The user was asked, and did not say yes."""


class TransientError(FailedError):
    """It failed in a way that may pass: a time-out, a refused connection, a conflict."""
