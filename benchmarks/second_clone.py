"""A second clone's bootstrap

What is committed here is cloned into a folder of its own each time and prepared with the cache of
this machine, which has everything: the packages, the engine's archives and its build.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._platform import ROOT
from benchmarks.frame import Row


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """One row."""

    def prepared(n: int) -> float:
        clone = folder / f"clone-{n}"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        began = time.perf_counter()
        subprocess.run([clone / "scripts" / "bootstrap"], check=True, capture_output=True)
        return time.perf_counter() - began

    yield [Row("bootstrap of a second clone, warm cache", prepared, reach=10)]
