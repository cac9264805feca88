"""Which of the three packages may import which: each can be used, and read, without the others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def imported(tree: ast.AST) -> Iterator[str]:
    """The packages that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize(
    ("package", "strangers"),
    [
        ("scripts/taxi_etl", {"taxistack", "localcloud"}),
        ("src/localcloud", {"taxistack", "taxi_etl"}),
    ],
)
def test_a_package_imports_nothing_of_the_packages_above_or_beside_it(package, strangers):
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    found = {
        str(path.relative_to(ROOT)): names
        for path in modules
        if (names := strangers & set(imported(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert found == {}


def test_an_import_inside_a_function_is_seen():
    assert list(imported(ast.parse("def f():\n    from localcloud.google import x"))) == [
        "localcloud"
    ]
