"""The folders of a local cloud in which nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """The folders of a local cloud in which nothing runs."""
    made = Layout(tmp_path / "cloud")
    made.create()
    return made
