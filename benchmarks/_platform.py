"""A local platform of a benchmark's own, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.frame import surroundings

ROOT = Path(__file__).parents[1]


def invoke(folder: Path, *words: str) -> str:
    """Run a command of the kit on the platform in `folder`; its stdout. Raises RuntimeError."""
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=ROOT,
        env={**surroundings(), "INVOKE_TAXISTACK_STATE": str(folder / "state")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"invoke {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """The platform is up; its endpoints as `status --env` names them."""
    invoke(folder, "up")
    try:
        yield json.loads(invoke(folder, "status", "--env", "--json"))
    finally:
        invoke(folder, "down", "--yes")
