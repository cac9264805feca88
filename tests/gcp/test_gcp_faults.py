"""Target gcp when something breaks in the middle of a command: the same command again mends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.gcp.conftest import ROOT
from tests.gcp.operator import ALL_MONTHS, Operator, working


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with working(tmp_path_factory.mktemp("gcp")) as one:
        one.young.unknown_accounts = 0
        one.google.project.settling = 0
        yield one


@contextlib.contextmanager
def meanwhile(strike: Callable[[], bool], times: int, pause: float) -> Iterator[list[bool]]:
    """Strike every `pause` seconds until it has hit `times` times; hands out the hits."""
    over, hits = threading.Event(), []

    def work() -> None:
        while not over.wait(pause) and len(hits) < times:
            if strike():
                hits.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield hits
    finally:
        over.set()
        thread.join()


def kill_when(operator: Operator, seen: Callable[[], bool], *arguments: str) -> None:
    """Start a command and kill it, without a chance to tidy, once `seen` says so."""
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=ROOT,
        env={**os.environ, **operator.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    give_up = time.monotonic() + 300
    while not seen():
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < give_up
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_commands_that_break_in_the_middle_are_run_again(operator: Operator) -> None:
    google, project = operator.google, operator.google.project
    operator.run("setup", "--yes")
    kill_when(operator, lambda: "taxistack-kestra" in google.vms, "up", "--auto-approve")
    up = operator.run("up", "--auto-approve")
    assert "up: no changes" in up.stdout
    operator.run("deploy-flows", "--source", operator.cloud.state().releases.url)
    operator.as_on_the_vm()

    def expire() -> bool:
        google.tokens.expire()
        return True

    with meanwhile(expire, times=20, pause=0.5) as hits:
        operator.run("backfill", *ALL_MONTHS)
    assert hits

    killed: set[int] = set()

    def cut() -> bool:
        fresh = [pid for pid in operator.gcloud.pids() if pid not in killed]
        killed.update(fresh)
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    killed.update(operator.gcloud.pids())
    with meanwhile(cut, times=2, pause=1.0) as hits:
        assert operator.json("verify", *ALL_MONTHS)
    assert hits, "a tunnel was cut"

    project.denied.add("storage.buckets.get")
    for command in (("plan",), ("up", "--auto-approve"), ("down", "--yes")):
        said = operator.run(*command, code=3).stderr
        assert "storage.buckets.get" in said
        assert "role" in said
    project.denied.clear()

    project.billing = False
    google.fail("POST .*/services:batchEnable", status=403, reason="BILLING_DISABLED",
                message="Billing must be enabled for activation of service(s)")  # fmt: skip
    assert "billing" in operator.run("doctor", code=3).stdout
    project.billing = True

    assert "0 left" in operator.run("down", "--yes").stdout
