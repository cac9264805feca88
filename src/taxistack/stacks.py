"""The stacks of a Google Cloud project, found by what they left: states and labelled things.

A stack is one when something proves it ours: a state in the state bucket that describes things
with our labels, or a thing that bears infra's labels under a name that infra/ gives. Another
team's `stack = web` on its own machine is neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from taxistack import inventory
from taxistack.inventory import Leftover
from taxistack.removal import Clients, bears_labels

if TYPE_CHECKING:
    from google.cloud import storage

BY_HAND = "manual"
"""The label `run` of a stack that a person has made (invoke.yaml)."""
_STATE = re.compile(r"([a-z][a-z0-9-]{1,18}[a-z0-9])/default\.(tfstate|tflock)")


@dataclass(frozen=True)
class Lock:
    """A lock on a state. `id`: the generation of its object, by which Terraform knows it."""

    id: str
    made: datetime
    who: str = "somebody"


@dataclass
class Stack:
    """One stack: its runs, its things, its state, and when it was last changed."""

    name: str
    runs: set[str] = field(default_factory=set)
    things: list[Leftover] = field(default_factory=list)
    changed: list[datetime] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    """Terraform's outputs, as far as its last apply has come."""
    has_state: bool = False
    lock: Lock | None = None

    @property
    def run(self) -> str:
        """The run that made it; empty when nothing tells, or when several had a hand in it."""
        return next(iter(self.runs)) if len(self.runs) == 1 else ""

    @property
    def last_change(self) -> datetime:
        """The last sign of life. A schedule's snapshots are none: they come by themselves.

        Where nothing else is left they are: no disk is there of which more could come. What does
        not tell when it was made counts as made now.
        """
        changes = self.changed or [
            datetime.fromisoformat(thing.made) for thing in self.things if thing.made
        ]
        return max(changes, default=datetime.now(UTC))


def find(clients: Clients, project: str, state_bucket: str) -> list[Stack]:
    """Every stack of the project, by name. Raises what the inventory raises."""
    stacks: dict[str, Stack] = {}
    for thing in _labelled(clients, project):
        name = bears_labels(thing.kind, thing.name, thing.labels, project)
        if name is None:
            continue
        stack = stacks.setdefault(name, Stack(name))
        stack.things.append(thing)
        stack.runs.add(thing.labels["run"])
        if thing.made and thing.kind != "snapshot":
            stack.changed.append(datetime.fromisoformat(thing.made))
    _add_states(clients.storage, state_bucket, stacks)
    return [stacks[name] for name in sorted(stacks)]


def _labelled(clients: Clients, project: str) -> Iterator[Leftover]:
    yield from inventory.labelled_machines(clients.google, project)
    yield from inventory.secrets(clients.google, project)
    yield from inventory.alerting(clients.google, project)
    for bucket in clients.storage.list_buckets(prefix=f"{project}-"):
        made = bucket.time_created.isoformat() if bucket.time_created else ""
        yield Leftover("bucket", bucket.name, "", dict(bucket.labels), made)
    for dataset in clients.bigquery.list_datasets(filter="labels.stack"):
        # Their list does not tell when they were made.
        whole = clients.bigquery.get_dataset(dataset.reference)
        made = whole.created.isoformat() if whole.created else ""
        yield Leftover("dataset", dataset.dataset_id, "", dict(dataset.labels), made)


def _add_states(client: storage.Client, bucket: str, stacks: dict[str, Stack]) -> None:
    """Take the states and locks in; those of other roots in the same bucket are nobody's here."""
    locks = {}
    for blob in client.list_blobs(bucket):
        match = _STATE.fullmatch(blob.name)
        if match is None:
            continue
        name, kind = match.groups()
        if kind == "tflock":
            locks[name] = blob
            continue
        state = json.loads(blob.download_as_bytes() or b"{}")
        runs = runs_in(state, name)
        if not runs and name not in stacks:
            continue
        stack = stacks.setdefault(name, Stack(name))
        stack.runs |= runs
        stack.has_state = True
        stack.outputs = {k: v.get("value") for k, v in (state.get("outputs") or {}).items()}
        stack.changed.append(blob.updated)
    for name, blob in locks.items():
        if name in stacks:
            record = json.loads(blob.download_as_bytes() or b"{}")
            lock = Lock(str(blob.generation), blob.updated, record.get("Who") or "somebody")
            stacks[name].lock = lock
            stacks[name].changed.append(lock.made)


def runs_in(state: dict[str, Any], stack: str) -> set[str]:
    """The runs whose labels stand in a state's resources beside `stack`; empty: none of ours."""
    runs = set()
    for resource in state.get("resources") or []:
        for instance in resource.get("instances") or []:
            labels = (instance.get("attributes") or {}).get("effective_labels") or {}
            if labels.get("stack") == stack and labels.get("run"):
                runs.add(labels["run"])
    return runs
