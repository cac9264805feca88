"""What a request is and what Google answers, refusals in both of its forms."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One call, its body read."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes
    raw_query: str = ""

    @property
    def json(self) -> dict[str, Any]:
        """The body. Raises Refused (400) when it is no JSON object."""
        try:
            content = json.loads(self.body or b"{}")
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise Refused(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        return content


@dataclass(frozen=True)
class Answer:
    """Status, body and headers."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, content: Any, status: int = 200, **headers: str) -> Answer:
        """JSON."""
        kind = {"Content-Type": "application/json; charset=UTF-8"}
        return cls(status, json.dumps(content).encode(), {**kind, **headers})


class Refused(Exception):
    """An error answer: `status` in words, `reason` for programs, `message` for people."""

    def __init__(self, code: int, status: str, message: str, reason: str = "", **metadata: str):
        super().__init__(message)
        self.code, self.status, self.message, self.reason = code, status, message, reason
        self.metadata = metadata

    def answer(self, old_form: bool = False, **headers: str) -> Answer:
        """The body as the newer APIs write it; `old_form`: as Compute, Storage and BigQuery do."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if old_form:
            reason = _OLD_REASONS.get(self.reason, self.reason) or _reason(self.code)
            error["errors"] = [{"message": self.message, "domain": "global", "reason": reason}]
        if self.status:
            error["status"] = self.status
        if self.reason:
            info = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": self.reason,
                "domain": "googleapis.com",
                "metadata": self.metadata,
            }
            error["details"] = [info]
        return Answer.of({"error": error}, self.code, **headers)


_OLD_REASONS = {"SERVICE_DISABLED": "accessNotConfigured", "IAM_PERMISSION_DENIED": "forbidden"}


def _reason(code: int) -> str:
    return {
        400: "invalid",
        401: "authError",
        403: "forbidden",
        404: "notFound",
        409: "alreadyExists",
        429: "rateLimitExceeded",
    }.get(code, "backendError")


def disabled(service: str, number: str, title: str) -> Refused:
    """The API is off in the project, or was enabled too short a time ago."""
    console = f"https://console.developers.google.com/apis/api/{service}/overview?project={number}"
    return Refused(
        403,
        "PERMISSION_DENIED",
        f"{title} has not been used in project {number} before or it is disabled. Enable it by "
        f"visiting {console} then retry. If you enabled this API recently, wait a few minutes for "
        "the action to propagate to our systems and retry.",
        "SERVICE_DISABLED",
        service=service,
        consumer=f"projects/{number}",
    )


def denied(permission: str, resource: str) -> Refused:
    """The caller's roles lack a permission."""
    return Refused(
        403,
        "PERMISSION_DENIED",
        f"Permission '{permission}' denied for resource '{resource}' (or it may not exist).",
        "IAM_PERMISSION_DENIED",
        permission=permission,
        resource=resource,
    )


def not_found(message: str) -> Refused:
    """404."""
    return Refused(404, "NOT_FOUND", message)


def invalid(message: str, reason: str = "") -> Refused:
    """400."""
    return Refused(400, "INVALID_ARGUMENT", message, reason)
