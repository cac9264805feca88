"""Cloud Storage and BigQuery: the local cloud's emulators, reached through Google's door."""

from __future__ import annotations

import re

import httpx
from tests.gcp.cloud.answers import Answer, Refused, Request
from tests.gcp.cloud.project import Project

_HOP = {"host", "connection", "transfer-encoding", "content-length", "authorization"}
_ANSWER_HOP = _HOP | {"content-encoding", "date", "server"}
_BUCKET = re.compile(r"/storage/v1/b/([^/]+)")
_JOBS = re.compile(r"/bigquery/v2/projects/[^/]+/(jobs|queries)")
_DATASETS = re.compile(r"/bigquery/v2/projects/([^/]+)(/.*)?")


def forward(project: Project, here: str, service: str, request: Request) -> Answer:
    """Ask the emulator; its own address in the answer becomes `here`."""
    _refuse(project, service, request)
    if service == "bigquery" and (told := _dry_run(project, request)) is not None:
        return told
    state = project.cloud.state() if project.cloud else None
    if state is None:
        return _empty(request)
    there = state.storage.url if service == "storage" else state.warehouse.url
    query = f"?{request.raw_query}" if request.raw_query else ""
    answer = httpx.request(
        request.method,
        f"{there}{request.path}{query}",
        content=request.body,
        headers={k: v for k, v in request.headers.items() if k.lower() not in _HOP},
        timeout=60,
        trust_env=False,
    )
    kept = {k: v for k, v in answer.headers.items() if k.lower() not in _ANSWER_HOP}
    headers = {k: v.replace(there, here) for k, v in kept.items()}
    body = answer.content
    if "json" in answer.headers.get("Content-Type", ""):
        body = body.replace(there.encode(), here.encode())
    return Answer(answer.status_code, body, headers)


def _refuse(project: Project, service: str, request: Request) -> None:
    """What the emulators let pass: foreign projects, missing permissions."""
    if service == "bigquery":
        found = _DATASETS.match(request.path)
        if found and found[1] != project.id:
            raise Refused(404, "NOT_FOUND", f"Not found: Project {found[1]}", "notFound")
    elif found := _BUCKET.fullmatch(request.path):
        permission = "storage.buckets.get"
        if request.method == "GET" and permission in project.denied:
            raise Refused(
                403,
                "",
                f"the caller does not have {permission} access to the Google Cloud Storage bucket. "
                f"Permission '{permission}' denied on resource (or it may not exist).",
                "forbidden",
            )
    elif request.path == "/storage/v1/b" and request.query.get("project") != project.id:
        raise Refused(400, "", "Unknown project id: " + request.query.get("project", ""), "invalid")


def _dry_run(project: Project, request: Request) -> Answer | None:
    """The emulator scans nothing: a dry run tells the bytes that a test has laid down."""
    job = _JOBS.fullmatch(request.path)
    if request.method != "POST" or not job:
        return None
    asked = request.json
    configuration = asked.get("configuration") or {}
    if not (asked.get("dryRun") or configuration.get("dryRun")):
        return None
    statement = asked.get("query") or configuration["query"]["query"]
    project.dry_runs.append(statement)
    bytes_ = str(project.scanned)
    reference = {"projectId": project.id, "jobId": "dry", "location": "us-central1"}
    if job[1] == "queries":
        return Answer.of({"kind": "bigquery#queryResponse", "totalBytesProcessed": bytes_,
                          "jobComplete": True, "jobReference": reference})  # fmt: skip
    return Answer.of({
        "kind": "bigquery#job", "jobReference": reference, "status": {"state": "DONE"},
        "configuration": configuration,
        "statistics": {"totalBytesProcessed": bytes_, "query": {"totalBytesProcessed": bytes_}},
    })  # fmt: skip


def _empty(request: Request) -> Answer:
    """A project without emulators behind it has no bucket and no dataset."""
    if request.method == "GET" and request.path == "/storage/v1/b":
        return Answer.of({"kind": "storage#buckets"})
    if request.method == "GET" and _BUCKET.fullmatch(request.path):
        raise Refused(404, "", "The specified bucket does not exist.", "notFound")
    if request.method == "GET" and request.path.endswith("/datasets"):
        return Answer.of({"kind": "bigquery#datasetList"})
    raise Refused(501, "", "this test has no emulators for that", "notImplemented")
