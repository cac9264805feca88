"""The provider's answers to Terraform: validate, plan, apply, read, import."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from localcloud.google import checks, planning
from localcloud.google.effects import EFFECTS, Cloud, Effect
from localcloud.google.errors import AlreadyExists, ApiError
from localcloud.google.planning import Context
from localcloud.google.protocol import MESSAGES
from localcloud.google.schema import Row, Table, table, to_message
from localcloud.google.store import Store
from localcloud.google.types import TYPES, Object, object_id
from localcloud.google.values import UNKNOWN, Path, changes, conform, pack, unpack

_ERROR = 1  # severity of a diagnostic
_PEERS = 256  # Terraform processes whose provider block is remembered

# What `projects/p/zones/z/instances/i` has more than the short form `p/z/i`.
_COLLECTIONS = re.compile(r"(?<![^/])(global|[a-zA-Z]+s)/")

Hook = Callable[[str, str], None]

# What goes with the object that it is a part of, as on Google Cloud.
PARTS_OF = {"google_secret_manager_secret": ("google_secret_manager_secret_version",)}


class Provider:
    """One local cloud as Terraform sees it. Methods are named as the protocol names them.

    Each takes its request and the caller's address: two Terraform runs, and two aliases in one,
    come from different addresses, and each has a provider block of its own.
    """

    def __init__(self, store: Store, cloud: Cloud, before: Hook | None = None) -> None:
        """`before(type, action)` is called before an object is created, updated or deleted."""
        self._store, self._cloud = store, cloud
        self._before = before or (lambda kind, action: None)
        self._table: Table = table()
        self._contexts: OrderedDict[str, Context] = OrderedDict()
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = {}  # as many as there were objects
        self._schema = self._schema_response()

    # --- the provider ---------------------------------------------------------------------

    def _schema_response(self) -> Any:
        response = MESSAGES["SchemaResponse"]()
        response.provider.block.CopyFrom(to_message(self._table.provider))
        response.server_capabilities.plan_destroy = True
        response.server_capabilities.get_provider_schema_optional = True
        for name, row in self._table.rows.items():
            entry = response.resource_schemas.add(key=name)
            entry.value.block.CopyFrom(to_message(row.block))
        return response

    def GetSchema(self, request: Any, peer: str) -> Any:
        """The schema of all types."""
        return self._schema

    def PrepareProviderConfig(self, request: Any, peer: str) -> Any:
        """The provider block has nothing to prepare."""
        return MESSAGES["PrepareResponse"](prepared_config=request.config)

    def Configure(self, request: Any, peer: str) -> Any:
        """Remember the caller's provider block."""
        block = unpack(request.config) or {}
        known = {k: None if v is UNKNOWN else v for k, v in block.items()}
        self._contexts[peer] = Context(
            project=known.get("project"),
            region=known.get("region"),
            zone=known.get("zone"),
            labels=known.get("default_labels") or {},
            attribution=known.get("add_terraform_attribution_label") is not False,
        )
        while len(self._contexts) > _PEERS:
            self._contexts.popitem(last=False)
        return MESSAGES["DiagnosticsResponse"]()

    def GetFunctions(self, request: Any, peer: str) -> Any:
        """No provider functions."""
        return MESSAGES["FunctionsResponse"]()

    def Stop(self, request: Any, peer: str) -> Any:
        """One Terraform run was interrupted: it waits for its calls; others are not concerned."""
        return MESSAGES["StopResponse"]()

    # --- one resource: validate and plan --------------------------------------------------

    def ValidateResourceTypeConfig(self, request: Any, peer: str) -> Any:
        """Check what the schema can't say."""
        response = MESSAGES["DiagnosticsResponse"]()
        for name, text in checks.problems(request.type_name, unpack(request.config) or {}):
            diagnostic = response.diagnostics.add(severity=_ERROR, summary=text)
            diagnostic.attribute.steps.add(attribute_name=name)
        return response

    def UpgradeResourceState(self, request: Any, peer: str) -> Any:
        """Fit the state that was written to the schema; there is one version of each."""
        state = json.loads(request.raw_state.json)
        value = conform(self._row(request.type_name).block, state)
        return MESSAGES["UpgradeResponse"](upgraded_state=pack(value))

    def PlanResourceChange(self, request: Any, peer: str) -> Any:
        """What the object will be, and which of the changes replace it."""
        response = MESSAGES["PlanResponse"](legacy_type_system=True)
        response.planned_private = request.prior_private
        prior, proposed = unpack(request.prior_state), unpack(request.proposed_new_state)
        if proposed is None:
            response.planned_state.CopyFrom(pack(None))
            return response
        row = self._row(request.type_name)
        planned = planning.plan(row, prior, proposed, unpack(request.config), self._context(peer))
        response.planned_state.CopyFrom(pack(planned))
        for path in (
            planning.replacing(request.type_name, row, prior, planned) if prior is not None else ()
        ):
            response.requires_replace.add(steps=_steps(path))
        return response

    # --- one resource: apply --------------------------------------------------------------

    def ApplyResourceChange(self, request: Any, peer: str) -> Any:
        """Create, change or delete one object: first the real thing, then the record."""
        response = MESSAGES["ApplyResponse"](legacy_type_system=True)
        response.private = request.planned_private
        prior, planned = unpack(request.prior_state), unpack(request.planned_state)
        kind = request.type_name
        action = "delete" if planned is None else "create" if prior is None else "update"
        self._before(kind, action)
        if planned is None:
            self._delete(kind, prior)
        elif prior is None:
            planned = self._create(kind, planned, unpack(request.config), self._context(peer))
        else:
            planned = self._update(kind, prior, planned)
        response.new_state.CopyFrom(pack(planned))
        return response

    def _create(self, name: str, obj: Object, config: Object, ctx: Context) -> Object:
        row, kind, effect = self._row(name), TYPES[name], self._effect(name)
        planning.place(obj, ctx)
        if effect:
            effect.prepare(obj, config)
        obj["id"] = object_id(kind, obj)
        if effect and effect.single:
            self._refuse_second(name, obj["id"])
        planning.fill(row, kind, obj)
        with self._alone(name, obj["id"]):
            try:
                self._store.add(name, obj["id"], obj)
            except AlreadyExists:
                if not kind.adopts:
                    raise
                self._store.put(name, obj["id"], obj)
            if effect:
                try:
                    effect.create(obj)
                except BaseException:
                    self._store.remove(name, obj["id"])
                    raise
                self._store.put(name, obj["id"], obj)
        return obj

    def _refuse_second(self, name: str, id_: str) -> None:
        others = [other for other in self._store.ids(name) if other != id_]
        if others:
            raise ApiError(
                f"a local cloud has one {name}, and there is {others[0]}: "
                "another stack needs a state folder of its own"
            )

    def _update(self, name: str, prior: Object, obj: Object) -> Object:
        planning.fill(self._row(name), TYPES[name], obj)
        with self._alone(name, obj["id"]):
            if effect := self._effect(name):
                effect.update(prior, obj)
            self._store.put(name, obj["id"], obj)
        return obj

    def _delete(self, name: str, obj: Object) -> None:
        if obj.get("deletion_protection") or obj.get("deletion_policy") == "PREVENT":
            switch = "deletion_protection = false"
            if not obj.get("deletion_protection"):
                switch = 'deletion_policy = "DELETE"'
            raise ApiError(f"Cannot destroy {name} {obj['id']}: set {switch} and apply that first")
        for part in PARTS_OF.get(name, ()):
            for id_ in self._store.ids(part):
                if id_.startswith(f"{obj['id']}/") and (held := self._store.get(part, id_)):
                    self._delete(part, held)
        with self._alone(name, obj["id"]):
            if (effect := self._effect(name)) and obj.get("deletion_policy") != "ABANDON":
                effect.delete(obj)
            self._store.remove(name, obj["id"])

    # --- one resource: read and import ----------------------------------------------------

    def ReadResource(self, request: Any, peer: str) -> Any:
        """The object as it is now; null when it is gone."""
        kind, current = request.type_name, unpack(request.current_state)
        response = MESSAGES["ReadResponse"](private=request.private)
        state = self._found(kind, current["id"])
        if state is not None:
            if "timeouts" in current:
                state["timeouts"] = current["timeouts"]
            if not any(changes(self._row(kind).block, current, state)):
                state = current
        response.new_state.CopyFrom(pack(state))
        return response

    def _found(self, name: str, id_: str) -> Object | None:
        with self._alone(name, id_):
            obj = self._store.get(name, id_)
            if obj is not None and (effect := self._effect(name)):
                obj = effect.read(obj)
                if obj is None:
                    self._store.remove(name, id_)
        return obj and conform(self._row(name).block, obj)

    def ImportResourceState(self, request: Any, peer: str) -> Any:
        """Find an object by its id, its id without the collections' names, or the end of either."""
        kind, wanted = request.type_name, request.id
        ids = {id_: (id_, _COLLECTIONS.sub("", id_)) for id_ in self._store.ids(kind)}
        hits = [id_ for id_, spellings in ids.items() if wanted in spellings] or [
            id_
            for id_, spellings in ids.items()
            if any(spelling.endswith(f"/{wanted}") for spelling in spellings)
        ]
        if not hits:
            hits = self._record_unknown(kind, wanted, self._context(peer))
        state = self._found(kind, hits[0]) if len(hits) == 1 else None
        if state is None:
            raise ApiError(
                f"Cannot import non-existent remote object: the local cloud has {len(hits)} "
                f'{kind} with the id "{wanted}"'
            )
        if "timeouts" in state:
            state["timeouts"] = None
        response = MESSAGES["ImportResponse"]()
        response.imported_resources.add(type_name=kind, state=pack(state))
        return response

    def _record_unknown(self, name: str, id_: str, ctx: Context) -> list[str]:
        """Record an object that exists and was made by somebody else; its id, or none."""
        effect = self._effect(name)
        with self._alone(name, id_):
            known = effect.find(id_) if effect else None
            if known is None:
                return []
            row = self._row(name)
            known = conform(row.block, known)
            unlabelled = Context(project=ctx.project, attribution=False)
            obj = planning.plan(row, None, known, known, unlabelled)
            planning.place(obj, ctx)
            obj["id"] = object_id(TYPES[name], obj)
            planning.fill(row, TYPES[name], obj)
            self._store.put(name, obj["id"], obj)
        return [obj["id"]]

    # --- helpers --------------------------------------------------------------------------

    @contextlib.contextmanager
    def _alone(self, kind: str, id_: str) -> Iterator[None]:
        """One call at a time on one object: what a killed run began is ended before another."""
        with self._guard:
            lock = self._locks.setdefault((kind, id_), threading.Lock())
        with lock:
            yield

    def _row(self, kind: str) -> Row:
        try:
            return self._table.rows[kind]
        except KeyError:
            raise ApiError(f"the local cloud does not know the type {kind}") from None

    def _context(self, peer: str) -> Context:
        return self._contexts.get(peer) or Context()

    def _effect(self, kind: str) -> Effect | None:
        effect = EFFECTS.get(kind)
        return effect(self._cloud) if effect else None


def _steps(path: Path) -> list[Any]:
    step = MESSAGES["Step"]
    return [step(attribute_name=s) if isinstance(s, str) else step(element_key_int=s) for s in path]
