"""A small client for a Kestra 2 server."""

from taxistack.kestra.client import KestraClient
from taxistack.kestra.models import TERMINAL, Execution, LogLine, Trigger
from taxistack.kestra.problems import (
    Broken,
    Conflict,
    Invalid,
    KestraError,
    NotFound,
    NotOffered,
    Unauthorized,
    Unavailable,
)

__all__ = [
    "TERMINAL",
    "Broken",
    "Conflict",
    "Execution",
    "Invalid",
    "KestraClient",
    "KestraError",
    "LogLine",
    "NotFound",
    "NotOffered",
    "Trigger",
    "Unauthorized",
    "Unavailable",
]
