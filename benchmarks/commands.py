"""What a command of the operator takes

On a platform of its own: brought up, asked, deployed to twice, taken down. Wall clock, the start of
Python included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._platform import invoke
from benchmarks.frame import Row

NOTES = """
An `up` of nothing is processor time that two cores share. The start of the JVM took 6 s of it over
both; a profile of it showed what nobody needs (an HTTP client with all of TLS, the flight recorder)
and what a build can do once (the migrations), and a third of it is gone: `up` took 12.0 s before
and 9.7 s after, on one machine. What is left of it are Kestra's own classes and queues, a third the
Java compiler. The warehouse emulator takes 1.4 s to import, provider, storage and release site 0.9
s, `initdb` half a second, the command itself 1.2 s. Terraform begins when storage and provider
answer. The engine waits for the warehouse, since the machine's roles on the datasets come before
the machine, as on Google Cloud. `down` is three runs of Terraform: a plan, which is shown; what
holds data is unlocked; all is destroyed. A fifth of it is the import of Google's clients, which
look for what is left. `status` is four fifths imports: Invoke a fifth, Google's BigQuery client
with requests a fifth, psycopg a tenth, httpx and rich a twentieth each.
"""


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """A row for each command; `up` and `down` undo each other and go together."""
    changing, standing = folder / "changing", folder / "standing"
    for place in (changing, standing):
        place.mkdir()
    invoke(standing, "up")
    invoke(standing, "deploy-flows")

    def up(_: int) -> None:
        invoke(changing, "up")

    def fresh_up(n: int) -> float:
        invoke(changing, "down", "--yes")
        return _seconds(lambda: up(n))

    def down(n: int) -> float:
        up(n)
        return _seconds(lambda: invoke(changing, "down", "--yes"))

    try:
        yield [
            Row("`up` of nothing", fresh_up, reach=7),
            Row("`down`", down, reach=3),
            Row("`up` of what is up", lambda _: _asked(standing, "up"), reach=1.2),
            Row(
                "`deploy-flows` of nothing new",
                lambda _: _asked(standing, "deploy-flows"),
                reach=0.8,
            ),
            Row("`status`", lambda _: _asked(standing, "status"), reach=0.7),
        ]
    finally:
        for place in (changing, standing):
            invoke(place, "down", "--yes")


def _asked(folder: Path, command: str) -> None:
    invoke(folder, command)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
