"""The recipes name files that are there."""

from __future__ import annotations

import re

from taxistack.settings import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def test_every_file_and_folder_that_is_named_is_there():
    tops = "docs|flows|infra|scripts|src|tests"
    named = set(re.findall(rf"`((?:{tops})/[^`\s<>]*|[\w.]+\.(?:py|md|toml|yaml))`", TEXT))
    assert len(named) > 30
    gone = [one for one in named if not (ROOT / one).exists() and one != "__init__.py"]
    assert gone == []


def test_a_recipe_has_as_many_places_as_it_says():
    recipes = re.findall(r"(?ms)^### ([^:\n]+): ([^\n]+)\n(.*?)(?=^### |\Z)", TEXT)
    assert len(recipes) == 6
    for name, places, text in recipes:
        most = max(int(number) for number in re.findall(r"\d+", places))
        assert re.findall(r"(?m)^(\d+)\. ", text) == [str(n) for n in range(1, most + 1)], name
