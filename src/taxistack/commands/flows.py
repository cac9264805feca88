"""`deploy-flows`: flows, the ETL's files and the settings they read, pushed into Kestra."""

from __future__ import annotations

import time

from taxi_etl.release import shown
from taxistack.console import Console, table
from taxistack.deploy import DeployReport, deploy
from taxistack.settings import ROOT
from taxistack.targets import NAMESPACE, Target
from taxistack.targets.base import etl_requirements_digest

FLOWS = ROOT / "flows"
ETL = ROOT / "scripts" / "taxi_etl"


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
        **target.flow_settings(),
    }


def _push(target: Target, source_url: str, prune: bool) -> DeployReport:
    return deploy(
        target.kestra(),
        FLOWS,
        ETL,
        settings_of_flows(target, source_url),
        prune=prune,
        expected_requirements=etl_requirements_digest(),
    )


def redeploy(target: Target, console: Console) -> None:
    """Push again with the source that is deployed; nothing when nothing was deployed yet.

    After a restart the release site may listen on another port: a source that it serves
    follows it, any other stays as it is.
    """
    deployed = target.kestra().kv.get(NAMESPACE, "source")
    if deployed is not None:
        _push(target, target.moved_source(str(deployed)), prune=False)


def deploy_flows(target: Target, console: Console, source: str = "", prune: bool = False) -> None:
    """Deploy, and print what changed. `source` overrides the source that is deployed now."""
    began = time.monotonic()
    deployed = None if source else target.kestra().kv.get(NAMESPACE, "source")
    url = (
        target.moved_source(str(deployed))
        if deployed
        else target.release_url(target.settings.source, console.say)
    )
    report = _push(target, url, prune)
    rows = [(change.kind, change.name, change.action) for change in report.changes]
    told = [row for row in rows if row[2] != "unchanged"]
    console.result(
        table("Deployed", ["kind", "name", "action"], told) if told else None,
        {
            "source": shown(url),
            "changes": [dict(zip(("kind", "name", "action"), r, strict=True)) for r in rows],
        },
    )
    console.summary(
        f"deployed: {report.summary()} ({time.monotonic() - began:.1f} s); "
        f"months come from {shown(url)}"
    )
