"""What the storage answers when it does not do what was asked.

Refused
├── Invalid             400
├── NotFound            404
├── Conflict            409
├── PreconditionFailed  412
└── Unsupported         501  Cloud Storage can do it, the local cloud can't
"""

from __future__ import annotations


class Refused(Exception):
    """The root of the tree; the message is told to the caller."""

    code = 400
    reason = "invalid"


class Invalid(Refused):
    """The request is wrong."""


class NotFound(Refused):
    """There is no such bucket, object or upload."""

    code, reason = 404, "notFound"


class Conflict(Refused):
    """It exists already, or is not empty."""

    code, reason = 409, "conflict"


class PreconditionFailed(Refused):
    """The object is not in the state that the caller asked for."""

    code, reason = 412, "conditionNotMet"


class Unsupported(Refused):
    """A call that nothing here makes."""

    code, reason = 501, "notImplemented"
