"""`deploy-flows`: flows, the ETL's files and the settings they read, pushed into Kestra."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import time
from collections.abc import Iterator

from taxi_etl.release import shown
from taxistack.console import Console, counted, table
from taxistack.deploy import Change, DeployReport, deploy
from taxistack.errors import FailedError, UsageError
from taxistack.settings import ROOT
from taxistack.sources import Source, require_answer
from taxistack.targets import NAMESPACE, Target
from taxistack.targets.base import INFRA

FLOWS = ROOT / "flows"
ETL = ROOT / "scripts" / "taxi_etl"
ANALYTICS = ROOT / "analytics"
ETL_REQUIREMENTS = INFRA / "kestra" / "requirements.txt"
MANY = 4


def etl_requirements_digest() -> str:
    """SHA-256 of the ETL's locked packages: the server carries it, `deploy` compares it."""
    return hashlib.sha256(ETL_REQUIREMENTS.read_bytes()).hexdigest()


def settings_of_flows(target: Target, source: str) -> dict[str, str]:
    """The KV pairs of the namespace: what Terraform made, the endpoints, the source's URL."""
    made = target.outputs
    return {
        "project": made.project,
        "location": made.location,
        "bucket": made.bucket,
        "dataset": made.dataset,
        "staging_dataset": made.staging_dataset,
        "source": source,
        "alarm_channel": target.alarm_channel(),
        "retention_days": str(target.settings.retention_days),
        **target.flow_settings(),
    }


def redeploy(target: Target) -> None:
    """Push again with the source that is deployed; nothing when nothing was deployed yet.

    After a restart the release site may listen on another port: a source that it serves
    follows it, any other stays as it is. What else is on the server is the user's, and stays.
    """
    deployed = target.kestra().kv.get(NAMESPACE, "source")
    if deployed is None:
        return
    url = target.moved_source(str(deployed))
    with target.pushing(url):
        deploy(
            target.kestra(),
            FLOWS,
            ETL,
            settings_of_flows(target, url),
            beside=[ANALYTICS],
            expected_requirements=etl_requirements_digest(),
        )


def look_at(target: Target, source: Source) -> None:
    """Ask a source once, before anything is changed for it. Raises MissingError when it is silent.

    Folders and samples are served here, and what the VM reaches can't be told from here.
    """
    if source.url and target.source_seen_from_here:
        require_answer(source.url, source.words)


def deploy_flows(
    target: Target,
    console: Console,
    source: str = "",
    *,
    prune: bool = False,
    dry_run: bool = False,
) -> None:
    """Deploy, and print what changed. `source` overrides the source that is deployed now.

    A new source is looked at before anything is changed for it. Raises MissingError when it does
    not answer, UsageError when it is none for this target.
    """
    began = time.monotonic()
    before = _deployed(target)
    chosen = Source.parse(source or target.settings.source) if source or not before else None
    url = target.source_url(chosen) if chosen else target.moved_source(str(before))
    if chosen:
        look_at(target, chosen)
    formerly = target.source_words if before else ""

    def ready(changes: list[Change]) -> None:
        _ask_to_prune(console, changes)
        if chosen:
            target.serve(chosen)

    with _types_explained(target), contextlib.nullcontext() if dry_run else target.pushing(url):
        report = deploy(
            target.kestra(),
            FLOWS,
            ETL,
            settings_of_flows(target, url),
            beside=[ANALYTICS],
            prune=prune,
            expected_requirements=etl_requirements_digest(),
            dry_run=dry_run,
            before=ready,
        )
    words = chosen.words if chosen else formerly
    _tell(console, report, url, dry_run=dry_run)
    done = "deploy-flows --dry-run, nothing was changed" if dry_run else "deployed"
    console.summary(
        f"{done}: {report.summary()} ({time.monotonic() - began:.1f} s); "
        + _from_where(target, words, formerly, kept=chosen is None, dry_run=dry_run)
    )


@contextlib.contextmanager
def _types_explained(target: Target) -> Iterator[None]:
    """A type that the server does not know is told together with those that it has."""
    try:
        yield
    except UsageError as error:
        if "Invalid type" in error.message:
            error.hint = target.task_types
        raise


def _deployed(target: Target) -> str | None:
    value = target.kestra().kv.get(NAMESPACE, "source")
    return str(value) if value else None


def _ask_to_prune(console: Console, changes: list[Change]) -> None:
    """Name what --prune takes, the user's own flows among it, and have it confirmed."""
    going = [change for change in changes if change.action == "pruned"]
    if not going:
        return
    rows = [(change.kind, change.name) for change in going]
    console.sketch(table("Not in this clone", ["kind", "name"], rows))
    things = counted(len(going), "object")
    if not console.confirm(f"Delete {things} from namespace {NAMESPACE} of the server?"):
        raise FailedError("nothing was deployed: --prune was not confirmed")


def _tell(console: Console, report: DeployReport, url: str, *, dry_run: bool) -> None:
    rows = [(change.kind, change.name, change.action) for change in report.changes]
    grouped = _few([row for row in rows if row[2] != "unchanged"])
    title = "Would be deployed" if dry_run else "Deployed"
    console.result(
        table(title, ["kind", "name", "action"], grouped) if grouped else None,
        {
            "source": shown(url),
            "dry_run": dry_run,
            "changes": [dict(zip(("kind", "name", "action"), r, strict=True)) for r in rows],
        },
    )


def _few(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Each flow by name; files and pairs that have all gone the same way are one row."""
    grouped: list[tuple[str, str, str]] = []
    for (kind, action), group in itertools.groupby(rows, key=lambda row: (row[0], row[2])):
        alike = list(group)
        many = kind != "flow" and len(alike) > MANY
        grouped += [(kind, f"{alike[0][1]} and {len(alike) - 1} more", action)] if many else alike
    return grouped


def _from_where(target: Target, words: str, formerly: str, *, kept: bool, dry_run: bool) -> str:
    """Where months come from, whether that is new, and how a kept source is changed."""
    if not kept:
        verb = "would come" if dry_run else "come"
        changed = f" (until now: {formerly})" if formerly not in ("", words) else ""
        return f"months {verb} from {words}{changed}"
    asked = Source.parse(target.settings.source)
    other = f", as deployed before; --source {asked.text} takes the setting's"
    return f"months come from {words}" + (other if asked.words != words else "")
