"""The flow files, read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

FLOWS = Path(__file__).resolve().parents[3] / "flows"


def tasks_of(node: Any) -> Iterator[dict[str, Any]]:
    """Every task of a flow, however deep."""
    if isinstance(node, dict):
        if (
            "id" in node
            and str(node.get("type", "")).startswith("io.kestra.plugin.")
            and (".trigger." not in node["type"])
        ):
            yield node
        for value in node.values():
            yield from tasks_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from tasks_of(value)


def lists_of(node: Any) -> Iterator[list[dict[str, Any]]]:
    """Every list of tasks, however deep."""
    if isinstance(node, dict):
        for value in node.values():
            yield from lists_of(value)
    elif isinstance(node, list):
        if node and all(isinstance(one, dict) and "type" in one and "id" in one for one in node):
            yield node
        for value in node:
            yield from lists_of(value)


@pytest.fixture(params=sorted(FLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def flow(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


@pytest.fixture
def tasks(flow: dict[str, Any]) -> list[dict[str, Any]]:
    return [*tasks_of(flow)]


@pytest.fixture
def task_lists(flow: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [*lists_of({key: flow.get(key) for key in ("tasks", "errors", "finally")})]


@pytest.fixture
def named():
    """A flow by its id."""
    return lambda name: yaml.safe_load((FLOWS / f"{name}.yaml").read_text())


@pytest.fixture
def text():
    """A flow's file by its id, as it stands."""
    return lambda name: (FLOWS / f"{name}.yaml").read_text()
