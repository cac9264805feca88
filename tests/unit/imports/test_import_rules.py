"""Which package may import which, and who may ask which target it is.

Each package can be used, and read, without those above and beside it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
KIT = ROOT / "src" / "taxistack"
# What is the local target's alone: loaded when it is chosen. And the plugin that gives people's own
# tests an engine: no command loads it.
OF_LOCAL = {
    *("targets/local.py", "targets/local_records.py", "targets/local_source.py"),
    *("doctor/local.py", "sweeping/local.py", "flow_tests.py"),
}
TARGETS = {"local", "gcp"}
CLASSES = {"LocalTarget", "GcpTarget"}


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(tree: ast.AST) -> set[str]:
    """The top packages among these."""
    return {name.split(".")[0] for name in imported(tree)}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def without_types(tree: ast.Module) -> ast.Module:
    """A module without what it imports for its annotations alone."""

    class Drop(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            return None if for_types else self.generic_visit(node)

    return Drop().visit(tree)


def questions(tree: ast.Module) -> Iterator[int]:
    """The lines that ask which target it is: by its name, by its class, by its module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            sides += [part for side in sides for part in getattr(side, "elts", [])]
            if any(isinstance(side, ast.Constant) and side.value in TARGETS for side in sides):
                yield node.lineno
        elif isinstance(node, ast.MatchValue):
            if isinstance(node.value, ast.Constant) and node.value.value in TARGETS:
                yield node.lineno
        elif isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if keys & TARGETS:
                yield node.lineno
        elif isinstance(node, ast.Call):
            parts = [part for given in node.args for part in ast.walk(given)]
            if any(getattr(part, "id", getattr(part, "attr", "")) in CLASSES for part in parts):
                yield node.lineno
    for name in imported(tree):
        if name in ("taxistack.targets.local", "taxistack.targets.gcp"):
            yield 1


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
        if (names := strangers & packages(parsed(path)))
    }
    assert found == {}


def test_the_local_cloud_is_imported_by_the_local_target_alone():
    found = {
        name
        for path in sorted(KIT.rglob("*.py"))
        if "localcloud" in packages(parsed(path)) and (name := str(path.relative_to(KIT)))
    }
    assert found == OF_LOCAL


def test_nobody_but_the_targets_asks_which_target_it_is():
    """What differs is a method of `taxistack.targets.Target`."""
    found = {
        name: lines
        for path in sorted(KIT.rglob("*.py"))
        if (name := str(path.relative_to(KIT))).split("/")[0] != "targets"
        and (lines := [*questions(without_types(parsed(path)))])
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        'if target.name == "local": pass',
        'if "gcp" != settings.target: pass',
        'if name in ("gcp", "docker"): pass',
        "if isinstance(target, LocalTarget): pass",
        "cast(gcp.GcpTarget, target)",
        'what = {"local": 1, "gcp": 2}[target.name]',
        'match name:\n  case "gcp": pass',
        "from taxistack.targets.local import LocalTarget",
        "def f():\n  from taxistack.targets import gcp",
    ],
)
def test_such_a_question_is_seen(line):
    assert [*questions(ast.parse(line))]


def test_an_import_inside_a_function_is_seen():
    tree = ast.parse("def f():\n    from localcloud.google import x")
    assert packages(tree) == {"localcloud"}
