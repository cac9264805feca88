"""`python -m benchmarks [--name NAME] [--check]`: what `invoke bench` runs."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.frame import Result, guard, measured, page, results


def names() -> list[str]:
    """The benchmarks: every module of this folder."""
    modules = Path(__file__).parent.glob("*.py")
    return sorted(path.stem for path in modules if not path.stem.startswith("_"))


def run(name: str) -> Result:
    """Measure one benchmark's rows."""
    benchmark = importlib.import_module(f"benchmarks.{name}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        found = []
        with benchmark.rows(Path(folder)) as rows:
            for row in rows:
                figures = measured(row)
                print(f"{name}: {row.title}: {_told(figures)}", flush=True)
                found.append(figures)
    return Result.of(name, found)


def _told(figures: results.Figures) -> str:
    said = f"{sorted(figures.ours)[len(figures.ours) // 2]:.3f} s"
    return said if figures.ratio is None else f"{said}, {figures.ratio:.2f} of {figures.baseline}"


def main() -> int:
    """Measure what was asked for; write it down, or compare it with what is written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--name", choices=names(), help="one benchmark; default: all")
    parser.add_argument("--check", action="store_true", help="compare with the committed ratios")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page anew")
    options = parser.parse_args()
    if options.page:
        page.write()
        return 0
    chosen = [options.name] if options.name else names()
    tables = [name for name in chosen if not page.has_rows(name)]
    found = [run(name) for name in chosen if name not in tables]
    for name in [] if options.check else tables:  # these write a table of their own beside them
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
    if options.check:
        kept = {one.name: one for one in results.committed()}
        slower = [
            text
            for one in found
            for text in (guard.worse(one, kept[one.name]) if one.name in kept
                         else [f"{one.name}: nothing is committed"])
        ]  # fmt: skip
        print("\n".join(slower) or "no row is slower than the committed table says")
        return 1 if slower else 0
    for one in found:
        one.write()
    page.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
