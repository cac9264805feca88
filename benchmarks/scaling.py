"""The kit's own parts at 1, 10, 100 and 1,000 times two years of two taxis, without a platform.

Cells (a taxi, a month, a destination) are derived, planned, verified and reported in memory, each
with three past executions, as in backfill_plan_and_report.py: what the servers take is not in it.
Counted is the processor's time of this process, so that a busy machine tells the same; memory is
the peak of a process of its own for each size. Rewrites scaling.md beside it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks._cells import NOW, half_loaded, runs_of, verified
from taxi_etl.month import Month
from taxistack.backfill.grid import outlook
from taxistack.backfill.planner import Request, plan
from taxistack.backfill.state import Cell, CellState, SourceFile
from taxistack.backfill.survey import derive
from taxistack.report import write_report

FIRST, MONTHS = Month(2000, 1), 24
TIMES = (1, 10, 100, 1000)
REPORTED = 100  # the page of more months than this many times is not drawn: see the table


def request_of(times: int) -> Request:
    """A range of so many times two years."""
    number = FIRST.year * 12 + FIRST.number - 1 + MONTHS * times - 1
    return Request(FIRST, Month(number // 12, number % 12 + 1))


def surveyed(cells: list[Cell]) -> dict[Cell, CellState]:
    """Every second cell loaded; three runs of each."""
    files = {
        (cell.taxi, cell.month): SourceFile(
            cell.taxi, cell.month, "http://site/x", True, length=1000, etag='"a"'
        )
        for cell in cells
    }
    return derive(cells, half_loaded(cells), runs_of(cells), files, {}, NOW)


def measure(times: int) -> dict[str, float | int | None]:
    """One size, in this process."""
    request = request_of(times)
    cells = request.grid()

    def seconds(work: Callable[[], object]) -> tuple[float, object]:
        began = time.process_time()
        made = work()
        return time.process_time() - began, made

    survey_s, states = seconds(lambda: surveyed(cells))
    plan_s, made = seconds(lambda: plan(request, states, source="http://site"))
    outlook(made)
    verify_s, found = seconds(lambda: verified(request))
    report_s = size = None
    if times <= REPORTED:
        with tempfile.TemporaryDirectory() as folder:
            report_s, _ = seconds(lambda: write_report(found, Path(folder)))
            size = (Path(folder) / "index.html").stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "cells": len(cells),
        "survey": survey_s,
        "plan": plan_s,
        "verify": verify_s,
        "report": report_s,
        "page": size,
        "peak": peak,
    }


def row(times: int, found: dict[str, float | int | None]) -> str:
    """A line of the table."""
    report, page = found["report"], found["page"]
    cells = [
        f"{times:,}",
        f"{MONTHS * times:,}",
        f"{found['cells']:,}",
        *(f"{found[what]:.3f} s" for what in ("survey", "plan", "verify")),
        "not drawn" if report is None else f"{report:.1f} s",
        "—" if page is None else f"{page / 2**20:.1f} MiB",
        f"{(found['peak'] or 0) / 2**20:.0f} MiB",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure each size in a process of its own, and rewrite the table."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
        return
    rows = []
    for times in TIMES:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.scaling", str(times)],
            capture_output=True,
            text=True,
            check=True,
        )
        rows.append(row(times, json.loads(done.stdout)))
    lines = [
        "# The kit's own parts at 1, 10, 100 and 1,000 times two years of two taxis",
        "",
        "Processor time of one process, in memory; made by `invoke bench --name scaling`.",
        "",
        "| times | months | cells | survey | plan | verify | report | index.html | peak memory |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *rows,
    ]
    text = "\n".join(lines) + "\n"
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
