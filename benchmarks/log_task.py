"""The engine's own work: a flow of one Log task

Created over HTTP and answered when it has ended (`wait=true`), one after the other. Kestra's own
published figure is 0.17 s for two tasks on a full server.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks._platform import running
from benchmarks.frame import Row

_FLOW = """\
id: {id}
namespace: bench
tasks:
"""
_TASK = """\
  - {{id: log{n}, type: io.kestra.plugin.core.log.Log, message: hello}}
"""
PUBLISHED = 0.17
"""Seconds."""


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """One Log task, and the two of the published figure."""
    with (
        running(folder) as variables,
        httpx.Client(
            base_url=f"{variables['KESTRA_URL'].rstrip('/')}/api/v1/main",
            auth=(variables["KESTRA_USER"], variables["KESTRA_PASSWORD"]),
            timeout=60,
            trust_env=False,
        ) as kestra,
    ):
        for count in (1, 2):
            flow = _FLOW.format(id=f"logs_{count}") + "".join(
                _TASK.format(n=n) for n in range(count)
            )
            headers = {"Content-Type": "application/x-yaml"}
            kestra.post("/flows", content=flow, headers=headers).raise_for_status()
        for _ in range(30):  # the first compiler of the JVM has seen it then
            _run(kestra, "logs_2")
        yield [
            Row(
                f"a flow of {count} Log task{'s' * (count > 1)}, created to answered",
                lambda _, count=count: _run(kestra, f"logs_{count}"),
                reach=PUBLISHED,
                times=25,
            )
            for count in (1, 2)
        ]


def _run(kestra: httpx.Client, flow: str) -> float:
    began = time.perf_counter()
    done = kestra.post(f"/executions/bench/{flow}?wait=true", files={"none": (None, b"")})
    took = time.perf_counter() - began
    if done.json()["state"]["current"] != "SUCCESS":
        raise RuntimeError(f"{flow} ended {done.text[:500]}")
    return took
