"""The table of types: where it comes from, and that it and the code say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

from localcloud.google import TYPES, recorded_only
from localcloud.google.effects import EFFECTS
from localcloud.google.remake import remake, to_text
from localcloud.google.schema import raw, table

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = Path(__file__).with_name("google-provider-7.45.0.json")


def test_the_table_is_what_the_real_provider_says() -> None:
    reference = json.loads(REFERENCE.read_text())
    assert raw() == to_text(remake(reference, list(TYPES)))


def test_every_type_has_a_row_and_every_row_a_type() -> None:
    assert set(table().rows) == set(TYPES)


def test_the_types_are_those_that_infra_uses() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "infra").rglob("*.tf"))
    assert set(TYPES) == set(re.findall(r'^resource "(google_\w+)"', text, re.MULTILINE))


def test_every_effect_belongs_to_a_type() -> None:
    assert set(EFFECTS) <= set(TYPES)
    assert not recorded_only("google_storage_bucket")
    assert recorded_only("google_compute_network")


def test_values_are_given_to_computed_attributes_only() -> None:
    for name, kind in TYPES.items():
        for path in kind.values:
            block = table().rows[name].block
            *outer, last = path.split(".")
            for step in outer:
                block = block.blocks[step].block
            assert block.attributes[last].computed, f"{name}.{path}"
