"""The schema of hashicorp/google, for the types that this provider stands in for.

The rows live in `schema.json`, made from a dump of the real provider's schema by
`python -m localcloud.google.remake`. A row holds what `terraform providers schema` says of a type
and three facts that it does not say, probed from the real provider:

- `force_new`: dotted paths whose change replaces the object;
- `defaults`: values that a plan shows where the configuration says nothing. `PROVIDER` stands for
  the value of the provider block (project, region or zone); a value with `{attribute}` is made
  from other attributes;
- `computed_blocks`: blocks that the cloud fills in when the configuration leaves them out.

In a row, `attributes` maps a name to `[flags, type]`; flags are words of `FLAGS`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from localcloud.google.protocol import MESSAGES

FLAGS = ("required", "optional", "computed", "sensitive", "write_only", "deprecated")
PROVIDER = "{provider}"
_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}


@dataclass(frozen=True)
class Attribute:
    """One attribute: `type` is Terraform's own notation (`"string"`, `["map", "string"]`, …)."""

    type: Any
    flags: frozenset[str]

    @property
    def computed(self) -> bool:
        """True when the cloud may give the value."""
        return "computed" in self.flags

    @property
    def write_only(self) -> bool:
        """True when the value may be sent to the cloud and kept nowhere else."""
        return "write_only" in self.flags

    @property
    def is_set(self) -> bool:
        """True for a set: its order means nothing."""
        return isinstance(self.type, list) and self.type[0] == "set"


@dataclass(frozen=True)
class Nested:
    """A nested block; `max_items` 0 means no limit."""

    nesting: str
    min_items: int
    max_items: int
    block: Block


@dataclass(frozen=True)
class Block:
    """Attributes and nested blocks, by name."""

    attributes: dict[str, Attribute]
    blocks: dict[str, Nested]


@dataclass(frozen=True)
class Row:
    """A resource type: its schema, and the facts that the schema does not say."""

    block: Block
    force_new: frozenset[str]
    defaults: dict[str, Any]
    computed_blocks: frozenset[str]


@dataclass(frozen=True)
class Table:
    """The whole of `schema.json`: the provider block, and a row a type."""

    version: str
    provider: Block
    rows: dict[str, Row]


@cache
def table() -> Table:
    """The table that ships with the package, read once."""
    return parse(json.loads(raw()))


def raw() -> str:
    """The text of `schema.json`."""
    return resources.files("localcloud.google").joinpath("schema.json").read_text()


def parse(document: dict[str, Any]) -> Table:
    """Make a table of a document in the form of `schema.json`."""
    rows = {
        name: Row(
            block=_block(row),
            force_new=frozenset(row["force_new"]),
            defaults=row["defaults"],
            computed_blocks=frozenset(row["computed_blocks"]),
        )
        for name, row in document["resources"].items()
    }
    return Table(document["version"], _block(document["provider"]), rows)


def _block(row: dict[str, Any]) -> Block:
    return Block(
        attributes={
            name: Attribute(kind, frozenset(flags.split()))
            for name, (flags, kind) in row.get("attributes", {}).items()
        },
        blocks={
            name: Nested(b["nesting"], b.get("min", 0), b.get("max", 0), _block(b))
            for name, b in row.get("blocks", {}).items()
        },
    )


def to_message(block: Block) -> Any:
    """The block as the protocol's Block message."""
    message = MESSAGES["Block"]()
    for name, attribute in block.attributes.items():
        kind = json.dumps(attribute.type, separators=(",", ":")).encode()
        message.attributes.add(name=name, type=kind, **dict.fromkeys(attribute.flags, True))
    for name, nested in block.blocks.items():
        message.block_types.add(
            type_name=name,
            nesting=_NESTING[nested.nesting],
            min_items=nested.min_items,
            max_items=nested.max_items,
            block=to_message(nested.block),
        )
    return message
