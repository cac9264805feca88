"""One line of `doctor`'s table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Found(StrEnum):
    """How a check ended. What was not tried may work: it is said, and is no reason to stop."""

    OK = "ok"
    WRONG = "missing"
    UNKNOWN = "not checked"
    UNTRIED = "not tried"


@dataclass(frozen=True)
class Check:
    """One finding. `mend`: the command, or the words, that put it right; empty when it is ok."""

    name: str
    state: Found
    found: str
    needed: str = ""
    mend: str = ""

    @classmethod
    def of(cls, name: str, ok: bool, found: str, needed: str, mend: str) -> Check:
        """A check that could be made. `needed` and `mend` count when it is not ok."""
        if ok:
            return cls(name, Found.OK, found)
        return cls(name, Found.WRONG, found, needed, mend)

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return self.state is Found.OK

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "ok": self.ok}
