"""Terraform's failures.

taxistack.errors.FailedError
└── TerraformError      a command failed; carries Terraform's own diagnostics
taxistack.errors.LockedError
└── StateLockedError    somebody else works on the stack; carries the lock
taxistack.errors.UsageError     a variable breaks a validation rule (raised as it is)
taxistack.errors.MissingError   the registry of providers does not answer (raised as it is)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taxistack.errors import FailedError, LockedError, MissingError, TaxistackError, UsageError

_LOCK_FIELD = re.compile(r"^ {2}(ID|Path|Operation|Who|Created): *(.*)$", re.MULTILINE)
_RULE = re.compile(r"\s*This was checked by the validation rule at \S+\s*$")
_INTERRUPTED = ("execution halted", "operation canceled")


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning of Terraform's: what, where, and the line of code that it is about."""

    severity: str
    summary: str
    detail: str = ""
    address: str = ""
    position: str = ""
    code: str = ""
    variables: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Diagnostic:
        """Read one `diagnostic` of a `-json` output; unknown fields are ignored."""
        place, snippet = data.get("range") or {}, data.get("snippet") or {}
        line = (place.get("start") or {}).get("line")
        values = snippet.get("values") or []
        names = [str(value.get("traversal", "")) for value in values]
        return cls(
            severity=data.get("severity", "error"),
            summary=data.get("summary", ""),
            detail=data.get("detail", ""),
            address=data.get("address") or snippet.get("context") or "",
            position=f"{place['filename']}:{line}" if place.get("filename") and line else "",
            code=(snippet.get("code") or "").strip(),
            variables=tuple(n.removeprefix("var.") for n in names if n.startswith("var.")),
        )

    def __str__(self) -> str:
        """Summary, then place and code, then the detail."""
        lines = [self.summary]
        if place := ", ".join(part for part in (self.address, self.position) if part):
            lines.append(f"  {place}" + (f": {self.code}" if self.code else ""))
        lines += [f"  {line}" for line in self.detail.strip().splitlines()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Lock:
    """Who holds the state's lock. `id` is what releases it."""

    id: str
    who: str = "somebody"
    operation: str = ""
    created: str = ""
    path: str = ""


class StateLockedError(LockedError):
    """Somebody else works on the same stack."""

    def __init__(self, lock: Lock) -> None:
        """`lock`: as Terraform tells it."""
        doing = lock.operation.removeprefix("OperationType").lower() or "work"
        super().__init__(
            f"{lock.who} holds the lock on this stack ({doing} since {lock.created}; "
            f"lock ID {lock.id}, {lock.path})",
            hint="Wait until that is done. When that process is gone for sure, release the lock: "
            f"invoke up --force-unlock {lock.id}",
        )
        self.lock = lock


class TerraformError(FailedError):
    """A Terraform command failed."""

    def __init__(
        self, command: str, diagnostics: Sequence[Diagnostic], code: int, stderr: str = ""
    ) -> None:
        """`command`: the subcommand, such as `apply`; `code`: its exit code."""
        unique = list(dict.fromkeys(diagnostics))
        text = "\n".join(str(d) for d in unique) or stderr.strip() or f"exit code {code}"
        hint = _hint(unique)
        if code < 0:
            text = f"it was killed by signal {-code}; what it was doing may be half done"
            hint = "Run the same command again: it goes on, or says who holds the lock."
        super().__init__(f"terraform {command} failed: {text}", hint=hint)
        self.command, self.diagnostics, self.code = command, unique, code

    @property
    def existing(self) -> list[str]:
        """Addresses that could not be created because the object exists already."""
        return [d.address for d in self.diagnostics if d.address and _exists(d)]


def _exists(diagnostic: Diagnostic) -> bool:
    text = diagnostic.summary + diagnostic.detail
    return "Error 409" in text or "already exists" in text


def _hint(diagnostics: Sequence[Diagnostic]) -> str | None:
    text = "\n".join(d.summary + d.detail for d in diagnostics)
    if any(map(_exists, diagnostics)):
        return (
            "It exists, and Terraform's state does not know it: a run that was killed made it, or "
            "somebody else. `invoke down` shows what bears this stack's name and labels, asks, and "
            "removes it; what shall stay is imported (terraform import ADDRESS ID)."
        )
    if "Saved plan is stale" in text:
        return "Somebody has changed the stack since it was planned. Run the command again."
    if "Invalid resource type" in text:
        return "A provider knows the types of its version; the local cloud's, those of infra/."
    if "Invalid data source" in text:
        return "The local cloud's provider has no data sources."
    return None


def error_of(
    command: str, diagnostics: Sequence[Diagnostic], code: int, stderr: str
) -> TaxistackError:
    """The error that says it best."""
    errors = [d for d in diagnostics if d.severity == "error"]
    # A state that is not there yet is made under the lock: then the reason stands in the text.
    texts = [d.detail for d in errors if d.summary == "Error acquiring the state lock"]
    texts += [text for text in (*(d.detail for d in errors), stderr) if "Lock Info:" in text]
    for text in texts:
        fields = dict(_LOCK_FIELD.findall(text))
        if fields.get("ID"):
            return StateLockedError(
                Lock(
                    id=fields["ID"],
                    who=fields.get("Who") or "somebody",
                    operation=fields.get("Operation", ""),
                    created=fields.get("Created", "").split(".")[0],
                    path=fields.get("Path", ""),
                )
            )
    if errors and all(d.summary.endswith("value for variable") for d in errors):
        return UsageError("\n".join(_variable_problem(d) for d in errors))
    missing = [d for d in errors if d.summary == "No value for required variable"]
    if missing and len(missing) == len(errors):
        return UsageError("\n".join(f"{_named(d)}: required, and not set" for d in missing))
    if command == "init" and any("could not connect to" in d.detail for d in errors):
        return MissingError(
            "terraform init: the registry of providers does not answer: "
            + " ".join(errors[0].detail.split())[:300],
            hint="check the connection, and HTTPS_PROXY where a proxy is needed; a mirror can be "
            "named in the file of TF_CLI_CONFIG_FILE",
        )
    real = [d for d in errors if d.summary not in _INTERRUPTED]
    return TerraformError(command, real or errors, code, stderr)


def _named(diagnostic: Diagnostic) -> str:
    match = re.search(r'variable "([^"]+)"', diagnostic.address + diagnostic.detail)
    return match[1] if match else "a variable"


def _variable_problem(diagnostic: Diagnostic) -> str:
    rule = " ".join(_RULE.sub("", diagnostic.detail).split())
    name = ", ".join(dict.fromkeys(v.split(".")[0] for v in diagnostic.variables))
    return f"{name}: {rule}" if name and not rule.startswith(name) else rule
