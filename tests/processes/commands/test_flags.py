"""What Invoke's own parser refuses is wrong use like any other: one line, code 2, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

CASES = [
    (["backfill", "--bogus"], "'--bogus'"),
    (["bakcfill"], "'bakcfill'"),
    (["backfill", "--start"], "Argument: start"),
    (["backfill", "--parallel", "two"], "--parallel 'two': must be a whole number"),
    (["logs", "--lines=many"], "--lines 'many': must be a whole number"),
]


@pytest.mark.parametrize(("argv", "named"), CASES, ids=lambda case: " ".join(case))
def test_a_line_that_cannot_be_read_ends_with_code_2_and_names_its_word(argv, named):
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *argv],
        cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert named in done.stderr
    assert "Traceback" not in done.stderr
