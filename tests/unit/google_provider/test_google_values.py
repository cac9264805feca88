"""Values on the wire, and what counts as a change."""

from __future__ import annotations

import msgpack
import pytest

from localcloud.google.protocol import MESSAGES
from localcloud.google.schema import Attribute, Block, Nested
from localcloud.google.values import UNKNOWN, changes, conform, pack, unpack

TEXT = Attribute("string", frozenset({"optional"}))
INNER = Block({"a": TEXT}, {})
BLOCK = Block(
    {
        "name": TEXT,
        "zones": Attribute(["set", "string"], frozenset({"optional"})),
        "labels": Attribute(["map", "string"], frozenset({"optional"})),
        "secret": Attribute("string", frozenset({"optional", "write_only"})),
    },
    {"rule": Nested("list", 0, 0, INNER), "tag": Nested("set", 0, 0, INNER)},
)
NOTHING = {"name": None, "zones": None, "labels": None, "rule": [], "tag": []}


def changed(before: dict, after: dict) -> list:
    return list(changes(BLOCK, {**NOTHING, **before}, {**NOTHING, **after}))


def test_a_value_survives_the_wire() -> None:
    value = {"a": 1, "b": [True, None, "x"], "c": UNKNOWN}
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("code", [0, 12])
def test_every_extension_of_the_wire_means_unknown(code: int) -> None:
    data = msgpack.packb(msgpack.ExtType(code, b"\x81\x01\xc2"))
    assert unpack(MESSAGES["DynamicValue"](msgpack=data)) is UNKNOWN


def test_a_path_into_the_first_element_keeps_its_zero() -> None:
    step = MESSAGES["Step"](element_key_int=0)
    assert MESSAGES["Step"].FromString(step.SerializeToString()).HasField("element_key_int")


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_empty_values_are_equal(empty: object) -> None:
    assert changed({"name": None}, {"name": empty}) == []


def test_the_order_of_a_set_means_nothing() -> None:
    assert changed({"zones": ["a", "b"]}, {"zones": ["b", "a"]}) == []
    assert changed({"tag": [{"a": "1"}, {"a": "2"}]}, {"tag": [{"a": "2"}, {"a": "1"}]}) == []


def test_a_change_in_a_set_is_told_at_the_set() -> None:
    assert changed({"tag": [{"a": "1"}]}, {"tag": [{"a": "2"}]}) == [("tag",)]


def test_a_change_in_a_list_is_told_at_its_element() -> None:
    assert changed({"rule": [{"a": "1"}]}, {"rule": [{"a": "2"}]}) == [("rule", 0, "a")]
    assert changed({"rule": []}, {"rule": [{"a": "2"}]}) == [("rule",)]


def test_an_unknown_value_is_a_change() -> None:
    assert changed({"name": "x"}, {"name": UNKNOWN}) == [("name",)]


def test_conform_drops_what_the_schema_does_not_know_and_what_is_write_only() -> None:
    value = conform(BLOCK, {"name": "x", "secret": "s", "old": 1, "rule": [{"a": "1", "b": 2}]})
    assert value == {**NOTHING, "name": "x", "secret": None, "rule": [{"a": "1"}]}
