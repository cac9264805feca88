"""The VM's boot, as far as a client of Compute Engine sees it: its status and its report.

The report is infra/kestra/boot.sh's: steps, then `healthy` with the hash of the metadata that this
boot has read. A changed metadata changes nothing until the VM is started again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

STEPS = ("install-docker", "start-server")
INPUTS = (
    "etl-requirements",
    "kestra-bucket",
    "kestra-build-requirements",
    "kestra-compose",
    "kestra-dockerfile",
    "kestra-entrypoint",
    "kestra-port",
    "kestra-requirements",
    "kestra-secrets",
    "kestra-user",
    "kestra-version",
    "secret-version",
    "startup-script",
)


def inputs_hash(metadata: Mapping[str, str]) -> str:
    """The hash in the report: SHA-256 of `name NUL value NUL`, names in order."""
    text = "".join(f"{name}\0{metadata[name]}\0" for name in INPUTS)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Vm:
    """One machine. `booted` is called with the metadata of each boot."""

    booted: Callable[[Mapping[str, str]], None] = lambda metadata: None
    id: str = ""
    """Of the instance that it is."""
    status: str = "RUNNING"
    report: list[str] = field(default_factory=list)
    starts: int = 0
    started_at: str = ""
    failing: str = ""
    """The step at which every boot fails from now on."""
    slow: bool = False
    """Whether a boot gets no further than its first step."""

    def boot(self, metadata: Mapping[str, str]) -> None:
        """Begin a boot: each look at the report is a step nearer to its end."""
        self.status, self.starts = "RUNNING", self.starts + 1
        # Some time ago: how long a boot takes is not what is tested.
        self.started_at = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
        end = f"failed: {self.failing}" if self.failing else f"healthy {inputs_hash(metadata)}"
        # At first the report is still that of the boot before.
        self.report = [*self.report[-1:], *STEPS, *([] if self.slow else [end])]
        self.booted(metadata)

    def look(self) -> str:
        """The report now."""
        return self.report.pop(0) if len(self.report) > 1 else self.report[0]
