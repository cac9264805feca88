"""Terraform's values: how they travel, and how two of them are compared.

A value is None, a bool, a number, a string, a list (also for a set) or a dict; `UNKNOWN` stands
for "known after apply".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgpack

from localcloud.google.protocol import MESSAGES
from localcloud.google.schema import Attribute, Block

Path = tuple[str | int, ...]


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"

    def __copy__(self) -> _Unknown:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Unknown:
        return self


UNKNOWN = _Unknown()


def unpack(value: Any) -> Any:
    """Read a DynamicValue. Every msgpack extension means unknown; refinements are not used."""
    if value.msgpack:
        return msgpack.unpackb(
            value.msgpack, ext_hook=lambda code, data: UNKNOWN, strict_map_key=False
        )
    return json.loads(value.json) if value.json else None


def pack(value: Any) -> Any:
    """Write a DynamicValue."""
    data = msgpack.packb(value, default=lambda unknown: msgpack.ExtType(0, b"\0"))
    return MESSAGES["DynamicValue"](msgpack=data)


def has_unknown(value: Any) -> bool:
    """True when the value, or anything in it, is unknown."""
    if isinstance(value, dict):
        return any(has_unknown(v) for v in value.values())
    if isinstance(value, list):
        return any(has_unknown(v) for v in value)
    return value is UNKNOWN


def conform(block: Block, value: Any) -> Any:
    """Make a dict fit the block exactly: keys that are not in the schema go, absent ones are null.

    Write-only values go too: they may stand in no state.
    """
    if value is None or value is UNKNOWN:
        return value
    out = {
        name: None if attribute.write_only else value.get(name)
        for name, attribute in block.attributes.items()
    }
    for name, nested in block.blocks.items():
        inner = value.get(name)
        if inner is UNKNOWN:
            out[name] = inner
        elif nested.nesting in ("list", "set"):
            out[name] = [conform(nested.block, element) for element in inner or []]
        else:
            out[name] = conform(nested.block, inner)
    return out


def changes(block: Block, before: Any, after: Any, path: Path = ()) -> Iterator[Path]:
    """The paths at which two values of a block differ; `timeouts` do not count.

    Null, "", [] and {} are equal, as the real provider takes them. The elements of a set have no
    path: the path of the set itself is given. A list of another length gives the list's path.
    """
    for name, attribute in block.attributes.items():
        if _differs(attribute, before.get(name), after.get(name)):
            yield (*path, name)
    for name, nested in block.blocks.items():
        old, new, here = before.get(name), after.get(name), (*path, name)
        if name == "timeouts":
            continue
        if old is UNKNOWN or new is UNKNOWN:
            yield here
        elif nested.nesting == "list":
            old, new = old or [], new or []
            if len(old) != len(new):
                yield here
            for index, (x, y) in enumerate(zip(old, new, strict=False)):
                yield from changes(nested.block, x, y, (*here, index))
        elif _unordered(old) != _unordered(new):
            yield here


def _differs(attribute: Attribute, old: Any, new: Any) -> bool:
    if old is UNKNOWN or new is UNKNOWN:
        return True
    if old in (None, "", [], {}) and new in (None, "", [], {}):
        return False
    if attribute.is_set and isinstance(old, list) and isinstance(new, list):
        return _unordered(old) != _unordered(new)
    return old != new


def _unordered(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(json.dumps(element, sort_keys=True, default=repr) for element in value)
    return json.dumps(value or None, sort_keys=True, default=repr)
