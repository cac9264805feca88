"""Asks for every locked package whether its version is known to be vulnerable: `pip-audit`.

    .venv/bin/python scripts/audit.py [LIST …]

The advisories are those of PyPI itself, which a mirror of it need not have: then pip-audit skips
the package and ends well. Here that is a failure. Exit codes: 0 every package was looked up and
none is known; 1 some are, and stand on stdout; 3 of some there is no answer.
The engine's jars are not asked for: Maven's repositories keep no advisories.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LISTS = ("requirements.txt", "analytics/requirements.txt", "infra/kestra/requirements.txt")
PROGRAM = "pip-audit==2.10.1"
"""Not in a list of hashes: it is fetched for this question alone, and runs nothing of ours."""


def asked(path: Path) -> list[dict[str, Any]]:
    """What pip-audit says of each package of a list. Raises SystemExit when it says nothing."""
    command = [
        str(Path(sys.executable).with_name("uvx")), "--from", PROGRAM, "pip-audit",
        "--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off",
        f"--requirement={path}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        sys.stderr.write(done.stderr)
        raise SystemExit(3) from None
    return packages


def judged(answers: Iterable[dict[str, Any]]) -> tuple[int, list[str]]:
    """The exit code, and a line for each package that is not known to be good."""
    packages = list(answers)
    bad = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in "
        f"{', '.join(flaw['fix_versions']) or 'no version yet'}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    silent = [
        f"{package['name']}: {package['skip_reason']}"
        for package in packages
        if "skip_reason" in package
    ]
    if not packages:
        silent = ["there is no package in these lists"]
    return (1 if bad else 3 if silent else 0), [*bad, *silent]


def main(arguments: list[str]) -> int:
    """Ask, tell, and give the exit code."""
    lists = [Path(argument) for argument in arguments] or [ROOT / name for name in LISTS]
    packages = [package for path in lists for package in asked(path)]
    code, lines = judged(packages)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    verdict = {0: "none is known to be vulnerable", 1: "some are", 3: "not every one was looked up"}
    sys.stderr.write(f"{len(packages)} packages: {verdict[code]}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
