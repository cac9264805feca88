"""The facts that the project's copies are compared with, where this clone has them beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def tlc_facts() -> dict:
    """published_counts.json of the facts folder; skips without it."""
    facts = Path(__file__).resolve().parents[4] / "shared" / "tlc" / "published_counts.json"
    if not facts.is_file():
        pytest.skip("the facts are not beside this clone (../shared/tlc)")
    return json.loads(facts.read_text())
