"""Brings the repository's flows, the ETL's source and the settings of a stack onto a Kestra server.

Everything is checked before anything is changed; then only what differs is written. Running it
again therefore changes nothing and says so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import yaml

from taxistack.errors import FailedError, MissingError, TaxistackError, UsageError
from taxistack.etl_archive import ETL_ARCHIVE, packed
from taxistack.kestra import KestraClient

NAMESPACE = "taxi"
NOTES = "tick."
"""How the pairs begin that flows/alarm_watch.yaml writes for itself: they are no extras."""
ENVIRONMENT_FLOW = "etl_environment"
"""The flow that says which Python packages the server's steps run with."""

Kind = Literal["flow", "file", "key"]
Action = Literal["created", "updated", "unchanged", "pruned", "extra"]

LITTER = ("__pycache__", "target", "logs", "dbt_packages")
_READERS = 8
"""Reads in flight at once: against a distant server a deployment is mostly waiting."""
_ANSWER = 60.0
"""Seconds that the environment flow may take."""


@dataclass(frozen=True)
class Change:
    """What happened to one object; `extra`: on the server, not in the repository, left alone."""

    kind: Kind
    name: str
    action: Action


@dataclass(frozen=True)
class DeployReport:
    """What a deployment did, object by object."""

    changes: tuple[Change, ...]

    @property
    def changed(self) -> bool:
        """Whether anything on the server is different now."""
        return any(change.action in ("created", "updated", "pruned") for change in self.changes)

    def count(self, action: Action) -> int:
        """How many objects it happened to."""
        return sum(change.action == action for change in self.changes)

    def summary(self) -> str:
        """One line, such as "2 created, 1 updated, 20 unchanged"; says how extras are deleted."""
        actions: tuple[Action, ...] = ("created", "updated", "pruned", "unchanged", "extra")
        parts = [f"{self.count(action)} {action}" for action in actions if self.count(action)]
        counts = ", ".join(parts) or "nothing to deploy"
        return f"{counts} (left alone; --prune deletes them)" if self.count("extra") else counts

    def to_json(self) -> list[dict[str, str]]:
        """One object for each change, for `--json`."""
        return [
            {"kind": change.kind, "name": change.name, "action": change.action}
            for change in self.changes
        ]


@dataclass(frozen=True)
class _Flow:
    path: Path
    id: str
    source: str


@dataclass(frozen=True)
class _Step:
    """A change and how to make it; nothing to do when `make` is None."""

    change: Change
    make: Callable[[], object] | None = None


def deploy(
    client: KestraClient,
    flows_dir: Path,
    etl_dir: Path,
    kv: Mapping[str, str],
    *,
    prune: bool = False,
    expected_requirements: str | None = None,
    beside: Iterable[Path] = (),
    dry_run: bool = False,
    before: Callable[[list[Change]], object] = lambda changes: None,
) -> DeployReport:
    """Make namespace `taxi` of the server equal to the repository.

    `flows_dir`: one `<id>.yaml` (or .yml) a flow. `etl_dir`: the package `taxi_etl`, which becomes
    one file of the namespace. `beside`: other folders that do, below their own names. `kv`: the
    key-value pairs. `prune`: delete flows, files and pairs that
    are not in the repository. `expected_requirements`: SHA-256 of the requirements file that the
    ETL needs; a server built from another one is refused; None leaves that check out. `dry_run`:
    say what would be changed, and change and start nothing (the packages are not asked for then).
    `before`: called when all is checked, with what is about to change; raising stops it.

    Raises `UsageError` when a flow breaks a rule (names file and reason; nothing was changed),
    `MissingError` when the server's packages differ (at most the flow `etl_environment` was
    written), `FailedError` when the server refuses a change half way (running it again goes on).
    """
    flows = _read_flows(flows_dir)
    files = {ETL_ARCHIVE: packed(_read_files(etl_dir, "taxi_etl"))}
    for folder in beside:
        files |= _read_files(folder, folder.name)
    client.version()
    with ThreadPoolExecutor(_READERS, thread_name_prefix="deploy") as pool:
        _refuse_invalid(flows, pool.map(lambda flow: client.flows.validate(flow.source), flows))
        # The server answers through a flow, which takes as long as all that is read meanwhile.
        answer, others = None, flows
        if expected_requirements is not None and not dry_run:
            answer = pool.submit(_check_requirements, client, flows, expected_requirements)
            others = [flow for flow in flows if flow.id != ENVIRONMENT_FLOW]
        # Flows last: from the moment that they are there a schedule may run them, and then they
        # need the files and the pairs.
        steps = [
            *pool.map(lambda item: _file_step(client, *item), files.items()),
            *pool.map(lambda item: _key_step(client, *item), kv.items()),
            *pool.map(lambda flow: _flow_step(client, flow), others),
        ]
        first = answer.result() if answer else None
    steps += _extra_steps(client, flows, files, kv, prune)
    if not dry_run:
        before([step.change for step in steps])
        _make(steps)
    return DeployReport((*([first] if first else []), *(step.change for step in steps)))


def _read_flows(folder: Path) -> list[_Flow]:
    flows: list[_Flow] = []
    problems: list[str] = []
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml")):
        try:
            source = path.read_text(encoding="utf-8")
            content = _load(path.name, source)
        except UnicodeDecodeError as error:
            problems.append(f"{path.name}: not UTF-8 text: byte {error.start + 1} is of none")
            continue
        # A date that is none, and lists within lists without an end, are no YAMLError.
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            problems.append(f"{path.name}: not YAML:\n{textwrap.indent(str(error), '  ')}")
            continue
        if path.stem in (flow.id for flow in flows):
            problems.append(f"{path.name}: there is {path.stem}.yaml too; one file a flow")
        declared = content if isinstance(content, dict) else {}
        if (declared.get("namespace"), declared.get("id")) != (NAMESPACE, path.stem):
            problems.append(f"{path.name}: must be flow `{path.stem}` of namespace `{NAMESPACE}`")
        flows.append(_Flow(path, path.stem, source))
    if problems:
        raise UsageError("\n".join(["no flow was deployed:", *problems]))
    if not flows:
        raise UsageError(f"no flow (*.yaml, *.yml) in {folder}")
    return flows


def _load(name: str, source: str) -> object:
    """What the text says as YAML; an error names the file, not a string."""
    loader = yaml.SafeLoader(source)
    loader.name = name
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _read_files(folder: Path, name: str) -> dict[str, bytes]:
    files = {
        f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_litter(path.relative_to(folder))
    }
    if not files:
        raise UsageError(f"nothing to deploy in {folder}")
    return files


def _is_litter(path: Path) -> bool:
    """What Python, dbt, an editor or the system leave in a folder beside the files."""
    return any(part in LITTER or part.startswith(".") or part.endswith("~") for part in path.parts)


def _refuse_invalid(flows: Iterable[_Flow], reasons: Iterable[list[str]]) -> None:
    problems = [
        f"{flow.path.name}: {reason}"
        for flow, refusals in zip(flows, reasons, strict=True)
        for reason in refusals
    ]
    if problems:
        raise UsageError("\n".join(["the server refuses flows; nothing was deployed:", *problems]))


def _check_requirements(client: KestraClient, flows: Iterable[_Flow], expected: str) -> Change:
    """Ask the server which packages it has; only the server itself knows, through a flow."""
    flow = next((candidate for candidate in flows if candidate.id == ENVIRONMENT_FLOW), None)
    if flow is None:
        raise UsageError(
            f"flows/{ENVIRONMENT_FLOW}.yaml is missing: it tells the server's packages"
        )
    step = _flow_step(client, flow)
    _make([step])
    run = client.executions.create(NAMESPACE, ENVIRONMENT_FLOW, wait=True, timeout=_ANSWER)
    if not run.succeeded:
        raise FailedError(
            f"the flow {ENVIRONMENT_FLOW} ended {run.state}: the server's packages are not known",
            hint=f"invoke logs --execution {run.id}",
        )
    actual = client.outputs.flow(run.id).get("requirements") or ""
    client.executions.delete(run.id)  # a question, not a piece of work: it leaves no trace
    if actual != expected:
        built_from = f"{actual[:12]}…" if actual else "an unknown one"
        written = "" if step.make is None else f" but the flow {ENVIRONMENT_FLOW}"
        raise MissingError(
            "the server's Python packages are not those that the ETL needs "
            f"(infra/kestra/requirements.txt is {expected[:12]}…, the server was built from "
            f"{built_from}); nothing{written} was deployed",
            hint="`invoke up` rebuilds the server with the repository's packages",
        )
    return step.change


def _flow_step(client: KestraClient, flow: _Flow) -> _Step:
    stored = client.flows.get(NAMESPACE, flow.id)
    if stored is None:
        return _Step(Change("flow", flow.id, "created"), partial(client.flows.create, flow.source))
    if stored.get("source") == flow.source:
        return _Step(Change("flow", flow.id, "unchanged"))
    update = partial(client.flows.update, NAMESPACE, flow.id, flow.source)
    return _Step(Change("flow", flow.id, "updated"), update)


def _file_step(client: KestraClient, name: str, content: bytes) -> _Step:
    stored = client.namespace_files.get(NAMESPACE, name)
    if stored == content:
        return _Step(Change("file", name, "unchanged"))
    action: Action = "created" if stored is None else "updated"
    put = partial(client.namespace_files.put, NAMESPACE, name, content)
    return _Step(Change("file", name, action), put)


def _key_step(client: KestraClient, key: str, value: str) -> _Step:
    stored = client.kv.get(NAMESPACE, key)
    if stored == value:
        return _Step(Change("key", key, "unchanged"))
    action: Action = "created" if stored is None else "updated"
    return _Step(Change("key", key, action), partial(client.kv.put, NAMESPACE, key, value))


def _extra_steps(
    client: KestraClient,
    flows: Iterable[_Flow],
    files: Iterable[str],
    kv: Iterable[str],
    prune: bool,
) -> list[_Step]:
    """What the server has and the repository has not."""
    wanted: dict[Kind, set[str]] = {
        "flow": {flow.id for flow in flows},
        "file": set(files),
        "key": set(kv),
    }
    there: dict[Kind, list[str]] = {
        "flow": [flow["id"] for flow in client.flows.list(NAMESPACE)],
        "file": client.namespace_files.list(NAMESPACE),
        "key": [key for key in client.kv.list(NAMESPACE) if not key.startswith(NOTES)],
    }
    delete: dict[Kind, Callable[[str, str], object]] = {
        "flow": client.flows.delete,
        "file": client.namespace_files.delete,
        "key": client.kv.delete,
    }
    return [
        _Step(Change(kind, name, "pruned"), partial(delete[kind], NAMESPACE, name))
        if prune
        else _Step(Change(kind, name, "extra"))
        for kind, names in there.items()
        for name in sorted(set(names) - wanted[kind])
    ]


def _make(steps: Iterable[_Step]) -> None:
    """Make the changes one after the other; the first failure stops and says how far it got."""
    pending = [(step.change, step.make) for step in steps if step.make is not None]
    for done, (change, make) in enumerate(pending):
        try:
            make()
        except TaxistackError as error:
            kind, name = change.kind, change.name
            raise FailedError(
                f"deployment stopped at {kind} {name} after {done} of {len(pending)} changes: "
                f"{error}",
                hint="running it again goes on with what is left",
            ) from error
