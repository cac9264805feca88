"""What lost runs and gone clones have left on this machine.

A stack in another state folder goes when a run has made it (label `run`, not `manual`) and it has
not changed for a time; one that was made by hand may hold what somebody loaded, and is only told.
Processes whose folder was deleted under them go too. An engine build goes when no clone has started
it for a month, or when it was never finished.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from localcloud import processes, register
from localcloud.errors import CloudError
from localcloud.google.store import Store
from localcloud.layout import Layout
from localcloud.register import EngineBuild, Known
from taxistack import state_folder
from taxistack.console import Console
from taxistack.errors import TaxistackError
from taxistack.stacks import BY_HAND
from taxistack.sweeping.verdict import BUILD, Found, Order, Verdict, in_words, quiet

if TYPE_CHECKING:
    from taxistack.targets.local import LocalTarget

_MIB = 2**20


def sweep(target: LocalTarget, order: Order) -> Found:
    """Find, judge, and if so asked remove."""
    cache, now = target.cloud.cache, datetime.now(UTC)
    others = [
        cloud for cloud in register.known(cache) if cloud.folder != target.cloud.layout.folder
    ]
    clouds = [(cloud, _judge_cloud(cloud, order.limit, now)) for cloud in others]
    builds = [(build, _judge_build(build, order.limit, now)) for build in register.builds(cache)]
    left: list[str] = []
    for cloud, verdict in clouds:
        if order.change and verdict.goes:
            left += _take_away(target, cloud, order)
    for build, verdict in builds:
        if order.change and verdict.goes:
            left += _remove_build(build, order.console)
    return Found([verdict for _, verdict in (*clouds, *builds)], left)


def _judge_cloud(cloud: Known, limit: timedelta, now: datetime) -> Verdict:
    name = str(cloud.folder)
    if not cloud.exists:
        count = len(cloud.processes())
        return Verdict("processes", name, True, f"{count} live on, and their folder is gone")
    if not (cloud.folder.parent / state_folder.MARK).exists():
        return Verdict("local cloud", name, False, "its folder is no state folder of taxistack")
    run, old = _labels(cloud).get("run", BY_HAND), now - cloud.last_change
    if run == BY_HAND:
        state = cloud.folder.parent
        command = f"INVOKE_TAXISTACK_STATE={shlex.quote(str(state))} invoke down"
        why = f"made by hand; {command} removes it"
        return Verdict("stack", name, False, why)
    if old < limit:
        return Verdict("stack", name, False, f"run {run} changed it {in_words(old)} ago")
    return Verdict("stack", name, True, f"run {run}, unchanged for {in_words(old)}")


def _labels(cloud: Known) -> dict[str, str]:
    """The labels of what Terraform has made there; empty where nothing tells."""
    path = Layout(cloud.folder).data("google") / "objects.db"
    if not path.exists():
        return {}
    store = Store(path)
    for kind in ("google_storage_bucket", "google_bigquery_dataset"):
        for id_ in store.ids(kind):
            made = store.get(kind, id_)
            if made and (labels := made.get("effective_labels")):
                return {**labels, "project": made["project"]}
    return {}


def _judge_build(build: EngineBuild, limit: timedelta, now: datetime) -> Verdict:
    name, size, old = str(build.folder), f"{build.size / _MIB:.0f} MiB", now - build.last_used
    if build.own:
        return Verdict(BUILD, name, False, f"{size}; this clone's")
    # Clones share builds: only one that no clone has started for so long is nobody's.
    why = f"last started {in_words(old)} ago" if build.complete else "it is not finished"
    goes = old >= (max(limit, register.KEPT) if build.complete else limit)
    if goes and (user := build.user) is not None:
        return Verdict(BUILD, name, False, f"{size}; process {user} uses it")
    return Verdict(BUILD, name, goes, f"{size}; {why}")


def _take_away(target: LocalTarget, cloud: Known, order: Order) -> list[str]:
    """`down` on the stack in that folder; what stayed, in words."""
    order.console.say(f"{cloud.folder}: taking it down")
    if not cloud.exists:
        alive = processes.end(cloud.processes())
        return [f"{cloud.folder}: process {process.pid} does not end" for process in alive]
    labels = _labels(cloud)
    settings = replace(
        target.settings,
        state=cloud.folder.parent,
        name=labels["stack"],
        project=labels["project"],
        run=labels["run"],
    )
    other = type(target)(settings)
    try:
        order.down(other, quiet(order.console), keep_data=False)
    except (TaxistackError, CloudError) as error:
        return [f"{cloud.folder}: {error}"]
    finally:
        other.forget()
    return [] if other.nothing_here() else [f"{cloud.folder}: it is there still"]


def _remove_build(build: EngineBuild, console: Console) -> list[str]:
    try:
        build.remove()
    except OSError as error:
        return [f"{build.folder}: {error.strerror or error}"]
    console.say(f"  removed {build.folder}")
    return []
