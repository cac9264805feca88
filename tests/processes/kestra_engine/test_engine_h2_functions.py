"""The functions of the engine's tables: ours say of every JSON what the stock ones say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localcloud.kestra import built
from localcloud.kestra.runtime import ENGINE_LOCK, Build, jars, java
from localcloud.layout import default_cache

FUNCTIONS = ("String", "Boolean", "Integer", "Long", "Double", "StringArray")
VALUES = (
    '{"id": "a", "n": 7, "d": 1.5, "yes": true, "none": null, "list": ["x", 2], "sub": {"k": "v"}}',
    '{"id": "é \\" \\\\ \\u0007", "n": "12", "yes": "true", "list": []}',
    '{"n": 9007199254740993, "d": 1e300, "list": "no list", "sub": []}',
    "[]",
    "{}",
)
QUERIES = (".id", ".n", ".d", ".yes", ".none", ".list", ".list[]?", ".sub.k?", '.["id"]?', ".sub")
ESCAPED = ("'plain'", "'a \"quoted\" \\ word'", "'é 東'", *(f"CHAR({n})" for n in range(32)))


def answers(*class_path: Path) -> str:
    """What H2 says of each value with the functions that this class path has first."""
    cls = "io.kestra.runner.h2.H2Functions"
    lines = [f'CREATE ALIAS "{name}" FOR "{cls}.jq{name}"' for name in FUNCTIONS]
    lines.append(f'CREATE ALIAS ESCAPED FOR "{cls}.escapeJqString"')
    # Each value with all queries, as for the columns of one row, and then the next.
    for value in VALUES:
        lines += [
            f"SELECT '{name} {query}', \"{name}\"('{value}', '{query}')"
            for query in QUERIES
            for name in FUNCTIONS
        ]
    lines += [f"SELECT ESCAPED({value})" for value in ESCAPED]
    command = [
        *(str(java()), "-cp", ":".join(map(str, class_path)), "org.h2.tools.Shell"),
        *("-url", "jdbc:h2:mem:", "-user", "sa"),
    ]
    done = subprocess.run(
        command, input=";\n".join([*lines, ""]), capture_output=True, text=True, check=True
    )
    shown = [line for line in done.stdout.splitlines() if "ms)" not in line and "\tat" not in line]
    return "\n".join(shown)


def test_the_functions_of_the_tables_say_what_the_stock_ones_say() -> None:
    if not built(default_cache()):
        pytest.skip("the engine is not built; scripts/bootstrap builds it")
    stock = jars(ENGINE_LOCK, default_cache())
    ours = answers(Build(default_cache()).face, *stock)
    assert "String .id" in ours
    assert "9007199254740993" in ours
    theirs = answers(*stock)
    assert ours.splitlines() == theirs.splitlines()
