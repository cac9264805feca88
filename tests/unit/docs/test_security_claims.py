"""Each claim of docs/security.md names a test, and that test is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROWS = [
    line
    for line in (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| threat")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_a_claim_names_a_test_that_is_there(row):
    named = re.fullmatch(r"`(tests/\S+\.py)::(test_\w+)`", row.strip("| ").split("|")[-1].strip())
    assert named, "the last column names a test"
    tree = ast.parse((ROOT / named.group(1)).read_text(encoding="utf-8"))
    assert named.group(2) in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}


def test_there_are_claims():
    assert len(ROWS) > 20


def test_how_to_report_is_said():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "How to report" in text
    assert "(docs/security.md)" in text
