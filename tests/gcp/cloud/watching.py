"""Cloud Monitoring's alert policies and channels, and Cloud Logging's metrics.

Shapes: the REST references of Cloud Monitoring v3 and Cloud Logging v2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tests.gcp.cloud.answers import Refused, Request, invalid, not_found
from tests.gcp.cloud.platform import need
from tests.gcp.cloud.things import MADE

if TYPE_CHECKING:
    from tests.gcp.cloud.server import Google

Parts = dict[str, str]
Handle = Callable[["Google", Request, Parts], dict[str, Any]]
ROUTES: list[tuple[str, re.Pattern[str], Handle]] = []
_PROJECT = r"projects/(?P<project>[^/:]+)"
_LIST = rf"/monitoring/v3/{_PROJECT}/(?P<plural>alertPolicies|notificationChannels)"
_THING = rf"{_LIST}/(?P<id>[^/]+)"
_METRICS = rf"/logging/v2/{_PROJECT}/metrics"
_METRIC = rf"{_METRICS}/(?P<name>[^/]+)"
_KINDS = {
    "alertPolicies": "google_monitoring_alert_policy",
    "notificationChannels": "google_monitoring_notification_channel",
}


def route(method: str, pattern: str) -> Callable[[Handle], Handle]:
    """Answer calls of this form."""

    def add(handle: Handle) -> Handle:
        ROUTES.append((method, re.compile(pattern), handle))
        return handle

    return add


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": one["name"],
        "displayName": one["display_name"],
        "userLabels": one.get("user_labels") or {},
        "creationRecord": {"mutateTime": MADE},
    }


def _find(google: Google, parts: Parts) -> dict[str, Any]:
    for one in google.project.objects(_KINDS[parts["plural"]]):
        if one["name"].rpartition("/")[2] == parts["id"]:
            return one
    raise not_found(f"The resource named {parts['id']} was not found.")


@route("GET", _LIST)
def list_things(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """Those with the label that the filter names."""
    plural = parts["plural"]
    need(google.project, f"monitoring.{plural}.list")
    chosen = request.query.get("filter", "")
    wanted = re.fullmatch(r'user_labels\.(\w+)\s*=\s*"([\w-]+)"', chosen)
    if chosen and wanted is None:
        raise invalid("Field filter had an invalid value.")
    found = [_shown(one) for one in google.project.objects(_KINDS[plural])]
    if wanted is not None:
        found = [one for one in found if one["userLabels"].get(wanted[1]) == wanted[2]]
    return {plural: found} if found else {}


@route("GET", _THING)
def get_thing(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """One."""
    need(google.project, f"monitoring.{parts['plural']}.get")
    return _shown(_find(google, parts))


@route("DELETE", _THING)
def delete_thing(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """A channel stays while a policy names it."""
    need(google.project, f"monitoring.{parts['plural']}.delete")
    one = _find(google, parts)
    for policy in google.project.objects(_KINDS["alertPolicies"]):
        if one["name"] in (policy.get("notification_channels") or []):
            said = f"Cannot delete notification channel: {one['name']} is in use by 1 policy."
            raise Refused(400, "FAILED_PRECONDITION", said)
    google.project.remove(_KINDS[parts["plural"]], one)
    return {}


def _metrics(google: Google) -> Iterator[dict[str, Any]]:
    return google.project.objects("google_logging_metric")


@route("GET", _METRICS)
def list_metrics(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """All of the project's."""
    need(google.project, "logging.logMetrics.list")
    found = [{"name": one["name"], "filter": one["filter"]} for one in _metrics(google)]
    return {"metrics": found} if found else {}


@route("GET", _METRIC)
def get_metric(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """One."""
    need(google.project, "logging.logMetrics.get")
    for one in _metrics(google):
        if one["name"] == parts["name"]:
            return {"name": one["name"], "filter": one["filter"]}
    raise not_found(f"Metric {parts['name']} does not exist.")


@route("DELETE", _METRIC)
def delete_metric(google: Google, request: Request, parts: Parts) -> dict[str, Any]:
    """One."""
    need(google.project, "logging.logMetrics.delete")
    for one in list(_metrics(google)):
        if one["name"] == parts["name"]:
            google.project.remove("google_logging_metric", one)
            return {}
    raise not_found(f"Metric {parts['name']} does not exist.")
