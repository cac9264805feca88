"""Whatever stands in the settings file or the environment: settings, or the name and its rule."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from taxistack.errors import UsageError
from taxistack.settings import RULES, VARIABLE_PREFIX, Settings, from_environment

ROOT = Path(__file__).resolve().parents[3]
DEFAULTS = yaml.safe_load((ROOT / "invoke.yaml").read_text())["taxistack"]
# What YAML can make of a value: a scalar of any type, or a list or a mapping of such.
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates(), st.datetimes()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
)


def read(section: dict[str, object]) -> tuple[Settings | None, str]:
    """The settings, or why there are none."""
    try:
        return Settings.load({**DEFAULTS, **section}), ""
    except UsageError as error:
        return None, error.message


@given(st.sampled_from(sorted(RULES)), VALUES)
def test_a_value_of_any_kind_is_a_setting_or_is_refused_by_name(name, value):
    loaded, refused = read({name: value})
    if loaded is None:
        assert refused.startswith(f"setting {name}: ")
    else:
        kept = getattr(loaded, name)
        assert RULES[name](f"setting {name}", kept) == kept, "what was taken is taken again"


@settings(max_examples=40)
@given(st.dictionaries(st.text(), VALUES, max_size=3))
def test_any_file_is_read_or_refused(section):
    loaded, refused = read(section)
    if loaded is None:
        assert any(repr(name) in refused for name in section)
    else:
        assert section == {}


@given(st.dictionaries(st.sampled_from(sorted(RULES)) | st.text(), st.text(), max_size=3))
def test_any_variables_are_read_or_refused(variables):
    environment = {f"{VARIABLE_PREFIX}{name.upper()}": text for name, text in variables.items()}
    try:
        found = from_environment(environment)
    except UsageError as error:
        told = error.message
    else:
        assert read(found)[0] is not None
        return
    assert told.startswith((VARIABLE_PREFIX, "setting "))


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1))
def test_an_unknown_setting_is_named(name):
    if name not in DEFAULTS:
        with pytest.raises(UsageError, match="unknown setting"):
            Settings.load({**DEFAULTS, name: 1})
