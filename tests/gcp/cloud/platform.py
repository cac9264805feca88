"""Secret Manager, Service Usage, Resource Manager, Billing and IAM.

Shapes: the REST references of Secret Manager v1, Service Usage v1, Resource Manager v1, Cloud
Billing v1 and IAM v1.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.gcp.cloud.answers import Refused, Request, denied, invalid, not_found
from tests.gcp.cloud.project import NEEDS_BILLING, TITLES, Project

if TYPE_CHECKING:
    from tests.gcp.cloud.server import Google

Parts = dict[str, str]
Handle = Callable[["Google", Request, Parts], dict[str, Any]]
ROUTES: list[tuple[str, re.Pattern[str], Handle]] = []
_PERMISSION = re.compile(r"[a-z]+(\.[a-zA-Z]+){2}")
_PROJECT = r"projects/(?P<project>[^/:]+)"


def route(method: str, pattern: str) -> Callable[[Handle], Handle]:
    """Answer calls of this form."""

    def add(handle: Handle) -> Handle:
        ROUTES.append((method, re.compile(pattern), handle))
        return handle

    return add


def check_project(project: Project, asked: str | None) -> None:
    """Raises Refused (403) when the call is about a project that the caller does not have."""
    if asked not in (None, project.id, project.number):
        raise Refused(
            403,
            "PERMISSION_DENIED",
            f"Permission denied on resource project {asked}.",
            "CONSUMER_INVALID",
            consumer=f"projects/{asked}",
        )


def need(project: Project, permission: str, resource: str = "") -> None:
    """Raises Refused (403) when the caller lacks the permission."""
    if permission in project.denied:
        raise denied(permission, resource or f"projects/{project.id}")


# --- Secret Manager ---------------------------------------------------------------------------


@route("GET", rf"/secretmanager/v1/{_PROJECT}/secrets/(?P<secret>[^/]+)/versions/latest:access")
def access_secret(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """The latest value."""
    project, secret = google.project, parts["secret"]
    name = f"projects/{project.number}/secrets/{secret}"
    need(project, "secretmanager.versions.access", f"{name}/versions/latest")
    value = project.secret(secret)
    if value is None:
        raise not_found(f"Secret [{name}] not found or has no versions.")
    data = base64.b64encode(value.encode()).decode()
    return {"name": f"{name}/versions/1", "payload": {"data": data}}


@route("GET", rf"/secretmanager/v1/{_PROJECT}/secrets")
def list_secrets(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Those with the label that the filter names."""
    project = google.project
    need(project, "secretmanager.secrets.list")
    wanted = re.fullmatch(r"labels\.(\w+)\s*=\s*([\w-]+)", request.query.get("filter", ""))
    if wanted is None and request.query.get("filter"):
        raise invalid("Invalid filter expression.")
    found = []
    for one in project.objects("google_secret_manager_secret"):
        labels = one["effective_labels"] or {}
        if wanted is None or labels.get(wanted[1]) == wanted[2]:
            name = f"projects/{project.number}/secrets/{one['secret_id']}"
            found.append({"name": name, "labels": labels})
    return {"secrets": found, "totalSize": len(found)} if found else {}


# --- Service Usage ----------------------------------------------------------------------------


def _service(project: Project, name: str) -> dict[str, Any]:
    if name not in TITLES:
        said = f"Not found or permission denied for service(s): {name}."
        raise Refused(403, "PERMISSION_DENIED", said)
    state = "ENABLED" if name in project.enabled else "DISABLED"
    place = f"projects/{project.number}"
    return {
        "name": f"{place}/services/{name}",
        "parent": place,
        "state": state,
        "config": {"name": name, "title": TITLES[name]},
    }


def _enable(project: Project, names: list[str]) -> dict[str, Any]:
    need(project, "serviceusage.services.enable")
    services = [_service(project, name) for name in names]
    unpaid = [name for name in names if name in NEEDS_BILLING and not project.billing]
    if unpaid:
        raise Refused(
            400,
            "FAILED_PRECONDITION",
            f"Billing account for project '{project.number}' is not found. Billing must be enabled "
            f"for activation of service(s) '{','.join(unpaid)}' to proceed.",
            "UREQ_PROJECT_BILLING_NOT_FOUND",
        )
    for name in names:
        project.enable(name)
    return {"name": f"operations/acat.p2-{uuid.uuid4()}", "done": True,
            "response": {"services": services}}  # fmt: skip


@route("GET", rf"/serviceusage/v1/{_PROJECT}/services")
def list_services(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """All, or with `filter=state:ENABLED` the enabled ones."""
    need(google.project, "serviceusage.services.list")
    chosen = request.query.get("filter", "")
    if chosen not in ("", "state:ENABLED"):
        raise invalid("Invalid filter")
    names = sorted(google.project.enabled if chosen else TITLES)
    return {"services": [_service(google.project, name) for name in names]}


@route("GET", rf"/serviceusage/v1/{_PROJECT}/services/(?P<service>[^/:]+)")
def get_service(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """One service's state."""
    need(google.project, "serviceusage.services.get")
    return _service(google.project, parts["service"])


@route("POST", rf"/serviceusage/v1/{_PROJECT}/services/(?P<service>[^/:]+):enable")
def enable_service(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Enable one."""
    return _enable(google.project, [parts["service"]])


@route("POST", rf"/serviceusage/v1/{_PROJECT}/services:batchEnable")
def enable_services(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Enable up to 20."""
    names = request.json.get("serviceIds", [])
    if not 1 <= len(names) <= 20:
        raise invalid("The request must name 1 to 20 services.")
    return _enable(google.project, names)


@route("GET", r"/serviceusage/v1/operations/(?P<operation>[\w.-]+)")
def get_operation(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """An operation here is done when it is answered."""
    return {"name": f"operations/{parts['operation']}", "done": True, "response": {}}


# --- Resource Manager and Billing ---------------------------------------------------------------


@route("GET", rf"/cloudresourcemanager/v1/{_PROJECT}")
def get_project(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """The project."""
    project = google.project
    need(project, "resourcemanager.projects.get")
    return {"projectId": project.id, "projectNumber": project.number, "lifecycleState": "ACTIVE",
            "name": project.id, "createTime": "2026-01-01T00:00:00Z"}  # fmt: skip


@route("POST", rf"/cloudresourcemanager/v1/{_PROJECT}:testIamPermissions")
def test_permissions(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Which of the asked permissions the caller has."""
    asked = request.json.get("permissions", [])
    if not 1 <= len(asked) <= 100:
        raise invalid("The request must name 1 to 100 permissions.")
    for one in asked:
        if not _PERMISSION.fullmatch(one):
            raise invalid(f"Permission {one} is not valid for this resource.")
    held = [one for one in asked if one not in google.project.denied]
    return {"permissions": held} if held else {}


@route("GET", rf"/cloudbilling/v1/{_PROJECT}/billingInfo")
def get_billing(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Whether a billing account pays for the project."""
    project = google.project
    need(project, "resourcemanager.projects.get")
    info = {"name": f"projects/{project.id}/billingInfo", "projectId": project.id}
    if not project.billing:
        return info
    account = "billingAccounts/012345-6789AB-CDEF01"
    return {**info, "billingAccountName": account, "billingEnabled": True}


# --- IAM ----------------------------------------------------------------------------------------


def _account(project: Project, one: dict[str, Any]) -> dict[str, Any]:
    name = f"projects/{project.id}/serviceAccounts/{one['email']}"
    return {"name": name, "projectId": project.id, "email": one["email"],
            "displayName": one["display_name"]}  # fmt: skip


@route("GET", rf"/iam/v1/{_PROJECT}/serviceAccounts")
def list_accounts(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """All of the project's."""
    need(google.project, "iam.serviceAccounts.list")
    project = google.project
    found = [_account(project, one) for one in project.objects("google_service_account")]
    return {"accounts": found} if found else {}


@route("GET", rf"/iam/v1/{_PROJECT}/serviceAccounts/(?P<email>[^/:]+)")
def get_account(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """One."""
    need(google.project, "iam.serviceAccounts.get")
    for one in google.project.objects("google_service_account"):
        if one["email"] == parts["email"]:
            return _account(google.project, one)
    raise not_found(f"Unknown service account: {parts['email']}")
