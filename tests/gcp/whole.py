"""What `doctor` and `setup` ask of Google beyond what a stack does.

Buckets of a project without emulators: what a bucket is, who has it, and what the caller may.
With emulators (`Project.cloud`) only the last is answered here, which they lack. Shapes: the JSON
API of Cloud Storage v1 (`buckets.get`, `list`, `insert`, `testIamPermissions`). And a user's login,
whose token is refreshed at Google OAuth's `token`.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

from tests.gcp.cloud import Google, Project
from tests.gcp.cloud.answers import Answer, Refused, Request
from tests.gcp.cloud.server import disabled

_RIGHTS = re.compile(r"/storage/v1/b/([^/]+)/iam/testPermissions")
_ONE = re.compile(r"/storage/v1/b/([^/]+)")


class WholeGoogle(Google):
    """The server, with these."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self.buckets: dict[str, dict[str, Any]] = {}
        self.others: set[str] = set()
        """Names that other projects have taken."""
        self.lifecycle = "ACTIVE"
        """The project's: DELETE_REQUESTED for 30 days after its deletion."""
        self.ahead = 0.0
        """Seconds by which this Google's clock is ahead of the machine's."""
        self._server.RequestHandlerClass = _dated(self, self._server.RequestHandlerClass)

    def bucket(self, name: str, location: str = "US-CENTRAL1", versioned: bool = True) -> None:
        """Let a bucket be there."""
        self.buckets[name] = {
            "kind": "storage#bucket", "name": name, "location": location,
            "projectNumber": self.project.number, "versioning": {"enabled": versioned},
        }  # fmt: skip

    def answer(self, request: Request) -> Answer:
        """These here, everything else as the server does."""
        if request.path == "/oauth2/token":
            token = self.tokens._new("user", self.tokens._account)
            return Answer.of({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})
        rights = _RIGHTS.fullmatch(request.path)
        plain = self.project.cloud is None and request.path.startswith(("/storage/v1/b", "/bigq"))
        if not rights and not plain:
            answer = self._as_recorded(request, super().answer(request))
            active = b'"lifecycleState": "ACTIVE"'
            deleted = f'"lifecycleState": "{self.lifecycle}"'.encode()
            return replace(answer, body=answer.body.replace(active, deleted))
        try:
            self.tokens.check(request)
            if not self.project.in_force("storage.googleapis.com"):
                raise disabled("storage.googleapis.com", self.project.number, "Cloud Storage API")
            if rights:
                return self._held(rights[1], request)
            return self._plain(request)
        except Refused as refused:
            return refused.answer(old_form=True)

    def _as_recorded(self, request: Request, answer: Answer) -> Answer:
        """A bucket as Terraform set it: the emulator does not keep whether it is versioned."""
        found = _ONE.fullmatch(request.path)
        if not found or request.method != "GET" or answer.status != 200:
            return answer
        for one in self.project.objects("google_storage_bucket"):
            if one["name"] == found[1] and one.get("versioning"):
                content = {**json.loads(answer.body), "versioning": one["versioning"][0]}
                return replace(answer, body=json.dumps(content).encode())
        return answer

    def _held(self, name: str, request: Request) -> Answer:
        self._get(name)
        asked = [v for k, v in parse_qsl(request.raw_query) if k == "permissions"]
        held = [one for one in asked if one not in self.project.denied]
        said = {"kind": "storage#testIamPermissionsResponse"}
        return Answer.of({**said, "permissions": held} if held else said)

    def _get(self, name: str) -> dict[str, Any]:
        if name in self.others or "storage.buckets.get" in self.project.denied:
            raise Refused(
                403,
                "",
                "the caller does not have storage.buckets.get access to the Google Cloud Storage "
                "bucket. Permission 'storage.buckets.get' denied on resource (or it may not "
                "exist).",
                "forbidden",
            )
        if self.project.cloud is not None:
            return {}
        if name not in self.buckets:
            raise Refused(404, "", "The specified bucket does not exist.", "notFound")
        return self.buckets[name]

    def _plain(self, request: Request) -> Answer:
        if request.path == f"/bigquery/v2/projects/{self.project.id}/datasets":
            return Answer.of({"kind": "bigquery#datasetList"})
        if found := _ONE.fullmatch(request.path):
            return Answer.of(self._get(found[1]))
        if request.query.get("project") != self.project.id:
            raise Refused(400, "", f"Unknown project id: {request.query.get('project')}", "invalid")
        if request.method == "POST":
            return Answer.of(self._make(request.json))
        prefix = request.query.get("prefix", "")
        found = [one for name, one in sorted(self.buckets.items()) if name.startswith(prefix)]
        return Answer.of({"kind": "storage#buckets", **({"items": found} if found else {})})

    def _make(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["name"] in {*self.buckets, *self.others}:
            raise Refused(
                409,
                "",
                "The requested bucket name is not available. The bucket namespace is shared by "
                "all users of the system. Please select a different name and try again.",
                "conflict",
            )
        self.bucket(asked["name"], asked["location"], versioned=False)
        return self.buckets[asked["name"]]


def _dated(google: WholeGoogle, handler: type) -> type:
    """The handler, with the server's clock."""

    class Dated(handler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate((timestamp or time.time()) + google.ahead, usegmt=True)

    return Dated
