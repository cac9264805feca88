"""The page with 5,000 executions

`invoke ui` on a platform whose Kestra holds 5,000 executions, in Chromium: from the address to the
list that stands there, and to one execution with its tasks and log. Then the calls below it. The
browser keeps nothing from one run to the next.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml
from playwright.sync_api import Browser, sync_playwright

from benchmarks._platform import ROOT, running
from benchmarks.frame import Row
from taxistack.page import Served, served
from taxistack.settings import Settings
from taxistack.targets import Target, open_target

EXECUTIONS = 5_000
AT_ONCE = 8
_FLOW = """\
id: many
namespace: bench
inputs:
  - {id: month, type: STRING}
labels:
  kind: many
tasks:
  - {id: log, type: io.kestra.plugin.core.log.Log, message: hello}
"""


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """Both screens as a person meets them, and the calls that they wait for."""
    with running(folder):
        target = _target(folder)
        newest = _fill(target)
        with served(target, 0) as page, _chromium() as browser, _calling(target, page) as client:

            def screen(path: str, awaited: str) -> Callable[[int], float]:
                return lambda _: _opened(browser, target, page, path, awaited)

            def call(path: str) -> Callable[[int], None]:
                return lambda _: client.get(path).raise_for_status() and None

            yield [
                Row("the list opened in Chromium", screen("executions", "tbody tr"), reach=1),
                Row("an execution opened", screen(f"executions/{newest}", ".log li"), reach=1),
                Row("a call of the list", call("api/executions"), reach=0.5),
                Row("its last page", call(f"api/executions?page={EXECUTIONS // 25}"), reach=0.5),
                Row("those of a label", call("api/executions?label=month:2019-07"), reach=0.5),
                Row("those that failed", call("api/executions?state=failed"), reach=0.5),
                Row("a call of an execution", call(f"api/executions/{newest}"), reach=0.5),
            ]


def _target(folder: Path) -> Target:
    raw = yaml.safe_load((ROOT / "invoke.yaml").read_text(encoding="utf-8"))["taxistack"]
    return open_target(Settings.load(raw, state=str(folder / "state")))


def _fill(target: Target) -> str:
    """Run the flow as often as it takes; the id of one of the last ones."""
    client = target.kestra()
    client.flows.create(_FLOW)

    def start(number: int) -> str:
        month = f"2019-{number % 12 + 1:02}"
        labels = {"taxi": "green", "month": month}
        create = client.executions.create
        done = create("bench", "many", {"month": month}, labels=labels, wait=True, timeout=120)
        return done.id

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(start, range(EXECUTIONS)))[-1]


@contextmanager
def _chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if found is None:
        raise RuntimeError("no Chromium on PATH (Debian: package chromium)")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield opened
        opened.close()


def _opened(browser: Browser, target: Target, page: Served, path: str, awaited: str) -> float:
    user, password = target.settings.kestra_user, target.kestra_password()
    context = browser.new_context(http_credentials={"username": user, "password": password})
    window = context.new_page()
    began = time.perf_counter()
    window.goto(f"{page.url}{path}")
    window.locator(awaited).first.wait_for()
    took = time.perf_counter() - began
    context.close()
    return took


@contextmanager
def _calling(target: Target, page: Served) -> Iterator[httpx.Client]:
    login = (target.settings.kestra_user, target.kestra_password())
    with httpx.Client(base_url=page.url, auth=login, timeout=60, trust_env=False) as client:
        yield client
