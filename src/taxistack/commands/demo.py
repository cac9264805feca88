"""`demo`: the whole platform in one command, from nothing to proven months."""

from __future__ import annotations

import time

from taxistack.commands import flows, months, provision, zones
from taxistack.console import Console
from taxistack.sources import Source
from taxistack.targets import Target

SAMPLE_NOTICE = (
    "These are sample trips, made by a generator with the shape of the TLC's files; they are not "
    "the TLC's data. Real trips: --source public (the course's releases), a URL or a folder."
)


def demo(target: Target, console: Console, *, source: str, report: str) -> None:
    """Up, deploy, backfill what is missing, zones, verify; a second run finds nothing to do."""
    began = time.monotonic()
    scope = months.scope(target.settings.start, target.settings.end, "", "all")
    months.check(target, scope, report)
    chosen = Source.parse(target.settings.source)
    target.check_source(chosen)
    flows.look_at(target, chosen)
    quiet = Console(json=False, assume_yes=True, out=console.err, err=console.err)
    console.say("1/5 provision")
    provision.up(target, quiet)
    console.say("2/5 deploy the flows")
    flows.deploy_flows(target, quiet, source=source or target.settings.source)
    console.say(f"3/5 backfill {scope.start} to {scope.end}")
    failure = months.load(target, quiet, scope)
    console.say("4/5 zones")
    zones.load(target, quiet)
    console.say("5/5 verify")
    months.verify(target, console, scope, repair=False, report=report)
    if failure:
        raise failure
    if target.serves_samples:
        console.say(SAMPLE_NOTICE)
    console.summary(f"demo done in {time.monotonic() - began:.0f} s; `invoke down` removes it all")
