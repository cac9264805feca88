"""What the local cloud remembers between two commands: `state.json`, 0600, no secret in it."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from localcloud.layout import Layout, write_private


@dataclass
class Record:
    """The content of `state.json`."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    """Stands in the environment of every process of this local cloud."""
    ports: dict[str, int] = field(default_factory=dict)
    """Port name (a part's name, or `<part>-<what>`) to number; kept for the next start."""
    supervisor: dict[str, float] | None = None
    """Process id and start time of the supervisor; None when it was stopped."""
    instance: str | None = None
    """The wanted state of the Kestra instance: RUNNING, TERMINATED, or None: there is none."""
    compose: dict[str, Any] | None = None
    """What the next start of the instance runs: a `Compose` as JSON; None: the embedded engine."""

    @classmethod
    def load(cls, layout: Layout) -> Record:
        """Read it; a file that is not there, or not whole, gives a new record."""
        try:
            return cls(**json.loads(layout.state.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def save(self, layout: Layout) -> None:
        """Write it, whole or not at all."""
        write_private(layout.state, json.dumps(asdict(self), indent=2) + "\n")
