"""62 months of 2 taxis in 2 destinations: planned, reported, opened

Without a platform. Planning: 124 HEADs of a source on loopback, 248 cells derived and planned;
ledgers and executions are in memory, what their servers take is not in it. Reporting: the page
of 248 cells, and how long headless Chromium takes from the start of the navigation to its load
event (when there is a Chromium). There is no baseline: the figures are seconds.
"""

from __future__ import annotations

import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._cells import NOW, half_loaded, runs_of, verified
from benchmarks.frame import Row
from taxi_etl.month import Month
from taxistack.backfill.planner import Plan, Request, plan
from taxistack.backfill.source import look
from taxistack.backfill.state import CellState, State
from taxistack.backfill.survey import derive
from taxistack.report import write_report

FIRST, LAST = Month(2019, 1), Month(2024, 2)
REQUEST = Request(FIRST, LAST)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
LOAD_TIME = """<script>addEventListener('load', () => {
  document.body.dataset.ms = performance.now();
});</script>"""


class Source(http.server.BaseHTTPRequestHandler):
    """Publishes every month."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Say that the file is there."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.send_header("ETag", '"a"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def planning(base: str) -> Plan:
    """Half of the cells are loaded; three runs of each are read; the rest is planned."""
    cells = REQUEST.grid()
    files = look(base, {(cell.taxi, cell.month) for cell in cells})
    states = derive(cells, half_loaded(cells), runs_of(cells), files, {}, NOW)
    made = plan(REQUEST, states, source=base)
    assert len(made.steps) == len(cells) // 2
    return made


def opened(page: Path, number: int) -> float:
    """Seconds that Chromium takes to open the page."""
    probe = page.with_name("probe.html")
    probe.write_text(page.read_text().replace("</body>", LOAD_TIME + "</body>"))
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update",
            f"--user-data-dir={page.parent / str(number)}",
            "--dump-dom", probe.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'data-ms="([\d.]+)"', done.stdout)
    assert found, "the page did not say when it was loaded"
    return float(found[1]) / 1000


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """Planning, writing the report, opening it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Source)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    states = {cell: CellState(cell, State.MISSING) for cell in REQUEST.grid()}
    found = verified(REQUEST)
    page = folder / "index.html"
    made = [
        Row(
            "plan 248 cells: 744 executions in memory, 124 HEADs on loopback",
            ignoring(lambda: planning(base)),
            reach=0.5,
        ),
        Row(
            "the pure planner alone",
            ignoring(lambda: plan(REQUEST, states, source=base)),
            reach=0.01,
        ),
        Row(
            "write the report (6 charts, each drawn twice)",
            ignoring(lambda: write_report(found, folder)),
            reach=2.0,
        ),
    ]
    if CHROMIUM:
        made.append(
            Row("open the report in headless Chromium", lambda n: opened(page, n), reach=1.0)
        )
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def ignoring(work: Callable[[], object]) -> Callable[[int], None]:
    """The work as a run of a row."""

    def run(_: int) -> None:
        work()

    return run
