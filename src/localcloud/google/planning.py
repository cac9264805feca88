"""What a plan shows: defaults, values known only after apply, labels, and what a change replaces.

The rules are those of the real provider as the facts in `schema.json` give them: on create, a
computed attribute that the configuration leaves out is unknown; on update it keeps its value.
"""

from __future__ import annotations

import ipaddress
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.google.errors import ApiError
from localcloud.google.schema import PROVIDER, Attribute, Block, Nested, Row
from localcloud.google.types import Kind, Object, computed
from localcloud.google.values import UNKNOWN, Path, changes, conform, has_unknown

_ATTRIBUTION = "goog-terraform-provisioned"


@dataclass(frozen=True)
class Context:
    """What the provider block says: where objects go, and the labels that all of them get."""

    project: str | None = None
    region: str | None = None
    zone: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    attribution: bool = True

    def place(self, name: str) -> str | None:
        """The provider block's project, region or zone; the region may come from the zone."""
        value = getattr(self, name)
        if value is None and name == "region" and self.zone:
            return self.zone.rsplit("-", 1)[0]
        return value


def plan(row: Row, prior: Object | None, proposed: Object, config: Object, ctx: Context) -> Object:
    """The planned value of one object; `prior` is None when it is to be created."""
    planned = _Shaper(row, ctx).shape(row.block, proposed, config, prior, "")
    _plan_labels(planned, prior, ctx)
    _plan_annotations(planned, prior)
    for name, template in row.defaults.items():
        if isinstance(template, str) and "{" in template and template != PROVIDER:
            planned[name] = _made(template, planned)
    if prior is not None and not any(changes(row.block, prior, planned)):
        return {**prior, **{k: planned[k] for k in ("timeouts",) if k in planned}}
    return planned


def replacing(kind: str, row: Row, prior: Object, planned: Object) -> list[Path]:
    """The changed paths that can't be changed in place."""
    paths: list[Path] = [
        (name,)
        for (owner, name), impossible in _REPLACES_WHEN.items()
        if owner == kind and impossible(prior.get(name), planned.get(name))
    ]
    for path in changes(row.block, prior, planned):
        dotted = ".".join(step for step in path if isinstance(step, str))
        is_block = _block_at(row.block, path) is not None
        inside = any(forced.startswith(dotted + ".") for forced in row.force_new)
        if dotted in row.force_new or (is_block and inside and dotted not in row.computed_blocks):
            paths.append(path)
    return paths


def _is_smaller(old: Any, new: Any) -> bool:
    return isinstance(old, int) and isinstance(new, int) and new < old


def _is_no_expansion(old: Any, new: Any) -> bool:
    """Whether the range `new` leaves out an address of the range `old`."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return False
    ranges = [ipaddress.ip_network(text, strict=False) for text in (old, new)]
    return not ranges[0].subnet_of(ranges[1])  # type: ignore[arg-type]


# What the real provider changes in place or not, depending on the values.
_REPLACES_WHEN: Mapping[tuple[str, str], Callable[[Any, Any], bool]] = {
    ("google_compute_disk", "size"): _is_smaller,
    ("google_compute_subnetwork", "ip_cidr_range"): _is_no_expansion,
}


def place(obj: Object, ctx: Context) -> None:
    """Say where a new object is: in the provider block's place, or in that of what it refers to."""
    for name in ("project", "region", "zone"):
        if obj.get(name) is UNKNOWN:
            obj[name] = ctx.place(name) or _place_of_reference(name, obj)


def _place_of_reference(name: str, obj: Object) -> str:
    for reference in ("secret", "secret_id", "dataset_id", "disk", "subnetwork"):
        parts = str(obj.get(reference) or "").split("/")
        if f"{name}s" in parts[:-1]:
            return parts[parts.index(f"{name}s") + 1]
    raise ApiError(f"{name}: required, and set neither in the resource nor in the provider block")


def fill(row: Row, kind: Kind, obj: Object) -> None:
    """Give every value that is still unknown its value, now that the object exists."""
    _fill(row.block, kind, obj, obj, "")


class _Shaper:
    """Walks the schema; `path` is the dotted path of the block, with a dot at its end."""

    def __init__(self, row: Row, ctx: Context) -> None:
        self.row, self.ctx = row, ctx

    def shape(
        self,
        block: Block,
        proposed: Object,
        config: Any,
        prior: Any,
        path: str,
        in_set: bool = False,
    ) -> Object:
        config = config if isinstance(config, dict) else {}
        out = {}
        for name, attribute in block.attributes.items():
            value, default = proposed.get(name), self.row.defaults.get(path + name)
            if attribute.write_only:
                value = None
            elif config.get(name) is None and default == PROVIDER:
                # Also on update: another project in the provider block moves the object.
                value = self.ctx.place(name) or value or UNKNOWN
            elif value is None and config.get(name) is None:
                value = default
                if value is None:
                    value = UNKNOWN if attribute.computed else _blank(attribute) if in_set else None
            out[name] = value
        for name, nested in block.blocks.items():
            inner = prior.get(name) if isinstance(prior, dict) else None
            parts = proposed.get(name), config.get(name), inner
            out[name] = self._nested(nested, *parts, prior is None, path + name, in_set)
        return out

    def _nested(
        self,
        nested: Nested,
        value: Any,
        config: Any,
        prior: Any,
        new: bool,
        path: str,
        in_set: bool,
    ) -> Any:
        if nested.nesting not in ("list", "set") or value is UNKNOWN:
            return value
        if not value and not config and path in self.row.computed_blocks:
            return UNKNOWN if new else prior
        block, within = nested.block, path + "."
        if nested.nesting == "list":
            return [
                self.shape(block, element, _at(config, i), _at(prior, i), within, in_set)
                for i, element in enumerate(value or [])
            ]
        # The elements of a set have no order: which configuration belongs to which is not known,
        # and not needed, because Terraform has put the configured values into the proposal.
        shaped = [self.shape(block, element, None, None, within, True) for element in value or []]
        return [_as_before(block, element, prior or []) for element in shaped]


def _blank(attribute: Attribute) -> Any:
    """What the real provider's SDK plans in a set for what is left out: texts and lists empty."""
    if attribute.type == "string":
        return ""
    return [] if isinstance(attribute.type, list) and attribute.type[0] in ("list", "set") else None


def _as_before(block: Block, element: Object, before: list[Object]) -> Object:
    """The element of `before` that differs in nothing but what the cloud gave; or `element`."""
    for old in before:
        paths = changes(block, old, element)
        if all(len(path) == 1 and element[str(path[0])] is UNKNOWN for path in paths):
            return old
    return element


def _at(values: Any, index: int) -> Any:
    return values[index] if isinstance(values, list) and index < len(values) else None


def _plan_labels(planned: Object, prior: Object | None, ctx: Context) -> None:
    """`terraform_labels` = the provider's, the object's own and the mark of Terraform;
    `effective_labels` adds those that others put on the object."""
    if "terraform_labels" not in planned:
        return
    own = planned.get("labels")
    if has_unknown(own) or has_unknown(ctx.labels):
        planned["terraform_labels"] = planned["effective_labels"] = UNKNOWN
        return
    before = prior or {}
    mark = ctx.attribution and (prior is None or _ATTRIBUTION in (before["terraform_labels"] or {}))
    labels = {**ctx.labels, **(own or {}), **({_ATTRIBUTION: "true"} if mark else {})}
    ours = before.get("terraform_labels") or {}
    foreign = {k: v for k, v in (before.get("effective_labels") or {}).items() if k not in ours}
    planned["terraform_labels"] = _in_effect(labels, prior)
    planned["effective_labels"] = _in_effect({**foreign, **labels}, prior)


def _plan_annotations(planned: Object, prior: Object | None) -> None:
    if "effective_annotations" in planned:
        own = planned.get("annotations")
        planned["effective_annotations"] = (
            UNKNOWN if has_unknown(own) else _in_effect(dict(own or {}), prior)
        )


def _in_effect(values: Object, prior: Object | None) -> Any:
    """An empty map of a computed attribute is known after apply, to the real provider's SDK."""
    return values if values or prior is not None else UNKNOWN


def _made(template: str, planned: Object) -> Any:
    names = [name for _, name, _, _ in string.Formatter().parse(template) if name]
    values = {name: planned.get(name) for name in names}
    if any(value is None or value is UNKNOWN for value in values.values()):
        return UNKNOWN
    return template.format(**values)


def _block_at(block: Block, path: Path) -> Nested | None:
    nested = None
    for step in path:
        if isinstance(step, str):
            nested = block.blocks.get(step)
            if nested is None:
                return None
            block = nested.block
    return nested


_ZERO = {"string": "", "number": 0, "bool": False}


def _fill(block: Block, kind: Kind, obj: Object, values: Object, path: str) -> None:
    for name, attribute in block.attributes.items():
        if has_unknown(values.get(name)):
            value = computed(kind, obj, path + name)
            values[name] = _empty(attribute.type) if value is None else value
    for name, nested in block.blocks.items():
        if values.get(name) is UNKNOWN:
            content = kind.blocks.get(path + name, [])
            values[name] = [_given(nested.block, element) for element in content]
        if nested.nesting in ("list", "set"):
            for element in values[name] or []:
                _fill(nested.block, kind, obj, element, f"{path}{name}.")


def _given(block: Block, element: Object) -> Object:
    """An element that the cloud gives; what it leaves open is filled in as everywhere."""
    left = {name: UNKNOWN for name, attribute in block.attributes.items() if attribute.computed}
    return conform(block, {**left, **element})


def _empty(kind: Any) -> Any:
    if isinstance(kind, list):
        return {} if kind[0] == "map" else []
    return _ZERO[kind]
