"""`test` and `bench`: the project's own checks, run the same way on a laptop and in CI."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from taxistack.console import Console
from taxistack.errors import FailedError, UsageError
from taxistack.settings import ROOT

SOURCES = ["src", "scripts", "tests", "benchmarks", "analytics", "tasks.py"]
# What needs the whole local platform, Terraform or deliberate crashes.
SLOW = ["tests/platform", "tests/infra", "tests/faults", "tests/gcp"]
# In the order of collection: the tests of the shared platform are the longest chain, and begin.
# More workers than four would start more platforms than a laptop has memory for.
SPREAD = ["--maxprocesses=4", "--dist=loadscope", "--no-loadscope-reorder"]
WORKERS = ["--numprocesses=auto", *SPREAD]
# Some faults stand still or are waited for: two workers more use what the others leave.
FAULT_WORKERS = [f"--numprocesses={(os.cpu_count() or 1) + 2}", *SPREAD]


def _run(console: Console, title: str, *command: str) -> None:
    console.say(f"── {title}")
    # stdout goes to stderr: pytest's closing lines must be the last thing that CI reads.
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise FailedError(f"{title} failed", hint=" ".join(command))


def test(console: Console, only: str = "", fast: bool = False, faults: bool = False) -> None:
    """Format, lint, types, then pytest (Terraform's checks among the tests).

    `faults`: every fault instead, those too that CI has no time for; they write their page.
    Raises FailedError, and UsageError for flags that contradict each other.
    """
    python = sys.executable
    if faults:
        if only or fast:
            raise UsageError("--faults runs the faults, all of them: without --only and --fast")
        _faults(console)
        return
    if not only:
        _run(console, "format", python, "-m", "ruff", "format", "--check", *SOURCES)
        _run(console, "lint", python, "-m", "ruff", "check", *SOURCES)
        _run(console, "types", python, "-m", "mypy")
    selection = only.split() if only else [f"--ignore={path}" for path in SLOW if fast] + WORKERS
    _run(console, "pytest", python, "-m", "pytest", *selection)


def _faults(console: Console) -> None:
    """Run them and keep what they found; a fault that was not survived is kept too."""
    with tempfile.TemporaryDirectory(prefix="taxistack-faults-") as folder:
        results = Path(folder) / "results.json"
        command = [sys.executable, "-m", "pytest", "tests/faults", "-m", "", *FAULT_WORKERS]
        os.environ["TAXISTACK_FAULT_RESULTS"] = str(results)
        try:
            _run(console, "every fault", *command)
        finally:
            if results.exists():
                page = [sys.executable, "-m", "tests.faults.record", str(results)]
                _run(console, "docs/reliability.md", *page)


def bench(console: Console, name: str = "", check: bool = False) -> None:
    """Run the benchmarks: write results and page anew, or compare them with the committed ones.

    Raises UsageError for a name that is none, FailedError when a ratio got worse.
    """
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))
    if name and name not in names:
        raise UsageError(f"--name {name}: must be one of {', '.join(names)}")
    arguments = [*(["--name", name] if name else []), *(["--check"] if check else [])]
    os.environ.setdefault("PYTHONHASHSEED", "0")
    _run(console, "benchmarks", sys.executable, "-m", "benchmarks", *arguments)
