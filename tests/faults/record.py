"""What the fault tests found, as it is committed (results.json), and docs/reliability.md from it.

A case is a fault and the place where it strikes. A test opens one with the fixture `fault`; whether
was survived is whether the test passed. `invoke test --faults` writes both files; what takes as
long as all the rest together is run apart, and kept apart (apart.json).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.frame.results import machine

RESULTS = Path(__file__).with_name("results.json")
APART = Path(__file__).with_name("apart.json")
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
VARIABLE = "TAXISTACK_FAULT_RESULTS"
"""Names the file that a run of the tests writes its cases to."""

_TOP = """\
# Reliability

<!-- Written by `invoke test --faults` from tests/faults/: change the text there. -->

Each row is a fault that was done to a running stack, and not only thought of: processes were
killed or stopped, connections cut, answers spoilt, disks filled, commands started at once.
Afterwards rows, sums, ledger, lake and Terraform's state were compared with what an undisturbed run
gives.
*Survived* means: nothing lost, nothing doubled, nothing left behind, and whoever waited or failed
was told why. *Recovered* is the time from the end of the fault to the whole again, or to a clear
answer where nothing can be whole.

```text
invoke test --faults      # all of it; writes the cases and this page
invoke test               # everything, with a cut of the faults
```
"""
_APART = """
## Run apart

A thousand executions take as long as all the other cases together.

```text
TAXISTACK_EXECUTIONS=1000 TAXISTACK_FAULT_RESULTS=many.json .venv/bin/python -m pytest -m "" \\
    tests/faults/test_concurrency.py::test_many_executions_at_once
.venv/bin/python -m tests.faults.record --apart many.json
```
"""
_HEAD = ["| fault | where | survived | recovered | measured |", "|---|---|---|---:|---|"]


@dataclass(frozen=True)
class Case:
    """A fault, where it struck, and what came of it. `family`: the heading that it stands below."""

    family: str
    fault: str
    place: str
    survived: bool
    seconds: float | None
    """From the end of the fault to the whole; None where nothing is waited for."""
    measured: str = ""
    """A figure that the case is about, with its unit."""


@dataclass(frozen=True)
class Found:
    """All cases of one run, and the machine that it ran on."""

    measured: str
    machine: dict[str, str]
    cases: tuple[Case, ...]

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Found:
        """The cases of a run that ends now, here."""
        ordered = sorted(cases, key=lambda one: (one.family, one.place, one.fault))
        return cls(datetime.now(UTC).date().isoformat(), machine(), tuple(ordered))

    @classmethod
    def read(cls, path: Path = RESULTS) -> Found:
        """What `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        cases = tuple(Case(**one) for one in values.pop("cases"))
        return cls(**values, cases=cases)

    def write(self, path: Path) -> None:
        """Keep them as data."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def text(found: Found, apart: Found) -> str:
    """The whole page."""
    lines = [_TOP, _told(found)]
    for family in sorted({case.family for case in found.cases}):
        lines += ["", f"## {family}", "", *_HEAD]
        lines += [_line(case) for case in found.cases if case.family == family]
    lines += [_APART, _told(apart), "", *_HEAD, *map(_line, apart.cases)]
    return "\n".join([*lines, ""])


def _told(found: Found) -> str:
    """How many cases there were, when, and on which machine."""
    survived = sum(case.survived for case in found.cases)
    times = [case.seconds for case in found.cases if case.seconds is not None]
    longest = f"; the longest recovery took {max(times):.0f} s" if times else ""
    count = f"{len(found.cases)} case{'s' if len(found.cases) != 1 else ''}"
    where = found.machine
    return (
        f"{count}, {survived} survived{longest}. Measured {found.measured} on "
        f"{where['processor']}, {where['cores']} cores, {where['memory']}, {where['system']}."
    )


def _line(case: Case) -> str:
    took = "" if case.seconds is None else f"{case.seconds:.1f} s"
    words = "yes" if case.survived else "**no**"
    return f"| {case.fault} | {case.place} | {words} | {took} | {case.measured} |"


def main(arguments: list[str]) -> int:
    """`python -m tests.faults.record [--apart] [RESULTS …]`: keep these runs' cases; the page."""
    apart = arguments[:1] == ["--apart"]
    if given := [Found.read(Path(path)) for path in arguments[apart:]]:
        cases = [case for found in given for case in found.cases]
        Found.of(cases).write(APART if apart else RESULTS)
    PAGE.write_text(text(Found.read(), Found.read(APART)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
