"""Which file of each locked package every platform gets: docs/wheels.csv, docs/platforms.md.

`scripts/lock` runs it. uv asks the registry for the files of the versions that the lock names; a
platform is what pip would say of itself there (PEP 425 tags and PEP 508 markers), so that nobody
has to own a machine of each kind. Nothing is installed, and no address of a registry is kept.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "wheels.csv"
PAGE = ROOT / "docs" / "platforms.md"
BEGIN, END = "<!-- made by scripts/lock -->\n", "<!-- end -->\n"
PYTHON = (3, 11)
GLIBC = 35
"""The minor version of glibc 2 that the local cloud needs (Ubuntu 22.04, Debian 12)."""
MACOS = (14, 0)
SOURCE = "source"
"""Stands in the table for a package that is built on the machine."""

Row = dict[str, str]


@dataclass(frozen=True)
class Platform:
    """One kind of machine: its name in the table, and what its Python says of itself."""

    name: str
    sys_platform: str
    machine: str

    @property
    def tags(self) -> list[Tag]:
        """The tags of wheels that its pip takes, the best one first."""
        if self.sys_platform == "darwin":
            platforms = list(mac_platforms(MACOS, self.machine))
        else:
            oldest = 5 if self.machine == "x86_64" else 17
            old = ("manylinux2014", *(("manylinux2010", "manylinux1") if oldest == 5 else ()))
            numbered = (f"manylinux_2_{minor}" for minor in range(GLIBC, oldest - 1, -1))
            platforms = [f"{name}_{self.machine}" for name in (*numbered, *old, "linux")]
        interpreter = f"cp{PYTHON[0]}{PYTHON[1]}"
        return [
            *cpython_tags(PYTHON, platforms=platforms),
            *compatible_tags(PYTHON, interpreter, platforms),
        ]

    def wants(self, marker: str | None) -> bool:
        """Whether a package with this marker is installed there."""
        python = ".".join(map(str, PYTHON))
        return marker is None or Marker(marker).evaluate(
            {
                "sys_platform": self.sys_platform,
                "platform_machine": self.machine,
                "platform_system": self.sys_platform.capitalize(),
                "os_name": "posix",
                "python_version": python,
                "python_full_version": f"{python}.0",
                "implementation_name": "cpython",
                "platform_python_implementation": "CPython",
            }
        )


PLATFORMS = (
    Platform("Linux x86-64", "linux", "x86_64"),
    Platform("Linux arm64", "linux", "aarch64"),
    Platform("macOS arm64", "darwin", "arm64"),
    Platform("macOS x86-64", "darwin", "x86_64"),
)


def chosen(platform: Platform, files: Iterable[str]) -> str | None:
    """The wheel that pip takes there; None when no file is for it."""
    rank = {tag: place for place, tag in enumerate(platform.tags)}
    suitable = {
        name: min(places)
        for name in files
        if (places := [rank[tag] for tag in parse_wheel_filename(name)[3] if tag in rank])
    }
    return min(suitable, key=lambda name: suitable[name], default=None)


def row(package: dict[str, Any]) -> Row:
    """A package of uv's lock (PEP 751) as a line of the table."""
    files = [wheel["url"].rpartition("/")[2] for wheel in package.get("wheels", ())]
    cells = {"package": package["name"], "version": package["version"]}
    for platform in PLATFORMS:
        if not platform.wants(package.get("marker")):
            cells[platform.name] = ""
            continue
        wheel = chosen(platform, files)
        if wheel is None and "sdist" not in package:
            sys.exit(f"{package['name']} {package['version']}: no file for {platform.name}")
        cells[platform.name] = wheel or SOURCE
    return cells


def resolved() -> list[dict[str, Any]]:
    """The locked packages with the files that the registry has of them."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "pylock.toml")
        command = [
            *(Path(sys.executable).with_name("uv"), "pip", "compile", "pyproject.toml"),
            *("--quiet", "--universal", "--python-version", ".".join(map(str, PYTHON))),
            *("--group", "bootstrap", "--group", "local", "--group", "test"),
            *("--constraints", "requirements.txt", "--format", "pylock.toml", "-o", lock),
        ]
        subprocess.run(command, cwd=ROOT, check=True)
        packages: list[dict[str, Any]] = tomllib.loads(lock.read_text("utf-8"))["packages"]
    return packages


def read() -> list[Row]:
    """The table as it stands in the repository."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def summary(rows: list[Row]) -> str:
    """The page's table: how many packages each platform gets, and those that it gets otherwise."""
    names = [platform.name for platform in PLATFORMS]
    counts = [
        [
            sum(row[name].endswith(".whl") for row in rows),
            sum(row[name].endswith("-any.whl") for row in rows),
        ]
        for name in names
    ]
    lines = [["package", *names], ["---"] * 5]
    lines.append(["wheels", *(str(wheels) for wheels, _ in counts)])
    lines.append(["… for this platform alone", *(str(all_ - any_) for all_, any_ in counts)])
    for row in rows:
        cells = [row[name] for name in names]
        if any(cells) and not all(cell.endswith(".whl") for cell in cells):
            words = (
                "wheel" if cell.endswith(".whl") else cell or "not installed" for cell in cells
            )
            lines.append([f"{row['package']} {row['version']}", *words])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write the table, and the page's part that is made from it."""
    rows = [row(package) for package in resolved()]
    with TABLE.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    text = PAGE.read_text("utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{summary(rows)}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
