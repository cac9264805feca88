"""Month files, right ones and such as are wrong on purpose."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS


@pytest.fixture
def month_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a month file from text, header included, packed unless told otherwise."""

    def write(text: str | bytes, *, packed: bool = True) -> Path:
        data = text.encode() if isinstance(text, str) else text
        path = tmp_path / "file.csv.gz"
        path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
        return path

    return write


@pytest.fixture
def green_text() -> str:
    """Three good rows of green 2020-10 with their header, CRLF."""
    blocks = sample.text(TAXIS["green"], Month(2020, 10), 3)
    return b"".join(blocks).decode()
