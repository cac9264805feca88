"""What can go wrong in a step.

    EtlError
    ├── Transient             may pass by itself; retried with backoff, a bounded number of times
    │   ├── SourceUnreachable   too slow, cut off, 429 or 5xx of the release site
    │   │   └── SourceSilent      nobody answers: refused connection, time-out
    │   ├── ConnectionLost      a destination did not answer, or its connection broke
    │   └── Busy                a lock or a concurrent transaction stood in the way
    └── Terminal              trying again gives the same
        ├── WrongUse            a flag, a month or an environment variable breaks a rule (exit 2)
        ├── SourceRefused       the release site answered, and not with the file
        ├── BadFile             the bytes are not the month file that was asked for
        ├── LakeConflict        the lake holds other bytes under that name
        ├── LoadFailed          the destination refused the month
        └── NotEqual            source, lake, ledger and table do not say the same

A message says which object, what is half done and what to do next. It never carries a secret.
"""

from __future__ import annotations

import re

NOTHING_LOADED = "Nothing was loaded"
"""How `extract` ends the message of a file that it refuses or does not get.

Who reads it knows that the next try ends so too, until the source has another file.
"""


_KEY = re.compile(r"/[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")


def without_key(text: str) -> str:
    """A text without the key of a local cloud: 43 signs, the first step of its addresses' paths.

    Google's libraries name the whole address in their errors.
    """
    return _KEY.sub("/(key)", text)


class EtlError(Exception):
    """The root of the tree; `exit_code` is what the process ends with."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        """`message`: one sentence or more, for a person; no key of a local cloud stays in it."""
        super().__init__(without_key(message))


class Transient(EtlError):
    """It failed in a way that may pass."""


class SourceUnreachable(Transient):
    """The release site did not answer, or answered that it is in trouble.

    `retry_after`: the seconds that it asked to wait.
    """

    retry_after: float = 0.0


class SourceSilent(SourceUnreachable):
    """Nobody answered at the address of the release site."""


class ConnectionLost(Transient):
    """The connection to a destination broke, or could not be made."""


class Busy(Transient):
    """Somebody else held the lock or changed the same table."""


class Terminal(EtlError):
    """It failed in a way that stays."""


class WrongUse(Terminal):
    """The caller broke a rule; the message names the flag or the value and the rule."""

    exit_code = 2


class SourceRefused(Terminal):
    """The release site answered with something that is neither the file nor "no such file"."""


class BadFile(Terminal):
    """The file is damaged, or is not that taxi's month."""


class LakeConflict(Terminal):
    """The lake has another object under the same name."""


class LoadFailed(Terminal):
    """The destination refused the month; its table is as it was before."""


class NotEqual(Terminal):
    """The month differs between source, lake, ledger and table."""
