"""What tests of several areas share: the whole local platform, started once for the session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import yaml
from tests.workers import STACKS

if TYPE_CHECKING:
    from tests.channel import Channel

    from taxi_etl.month import Month

ROOT = Path(__file__).resolve().parents[1]
TLC = ROOT.parent / "shared" / "tlc"
INVOKE = [sys.executable, "-m", "invoke"]

# The settings of the shell that the tests are started from are not theirs: one names the state
# folder of a stack that is in use, another may name the target gcp, and tests end with `down`.
for name in [one for one in os.environ if one.startswith("INVOKE_TAXISTACK_")]:
    del os.environ[name]

# A busy machine is no failure: examples may take as long as they need.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

# In the background of a script and below nohup, programs start with signals switched off, and so
# would what the tests start; the tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C takes away what the workers have started."""
    if config.pluginmanager.hasplugin("xdist"):
        from tests.workers import Interrupts

        config.pluginmanager.register(Interrupts(worker=hasattr(config, "workerinput")))


@pytest.hookimpl(optionalhook=True)  # of xdist, which is asked for by `invoke test` alone
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """What stays together on one worker."""
    from tests.workers import Chains

    return Chains(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest chains begin: the shared platform's tests, then those of a struck stack."""
    items.sort(key=lambda item: [name not in getattr(item, "fixturenames", ()) for name in STACKS])


def settings_of(state: Path, **overrides: object):
    """The settings of invoke.yaml with a state folder of the test's own."""
    from taxistack.settings import Settings

    raw = yaml.safe_load((ROOT / "invoke.yaml").read_text())["taxistack"]
    return Settings.load(raw, state=str(state), **overrides)


@dataclass(frozen=True)
class Platform:
    """A running local platform with the flows deployed."""

    target: object
    state: Path
    releases: Path
    """The folder that the release site serves; a test may put month files of its own there."""
    channel: Channel
    """Where its alarms are posted."""

    @property
    def context(self):
        """The target, by the name that the backfill's seam has."""
        return self.target

    def invoke(self, *arguments: str, code: int = 0, **environment: str):
        """Run a command as a user does; asserts its exit code, gives the finished process."""
        return run_invoke(self.state, *arguments, code=code, **environment)

    def publish(self, taxi: str, month: Month, rows: int) -> Path:
        """Put a sample month on the release site; its file."""
        from taxi_etl import release, sample

        path = self.releases / taxi / release.file_name(taxi, month)
        path.parent.mkdir(exist_ok=True)
        sample.write(path, taxi, month, rows)
        return path


def run_invoke(
    state: Path, *arguments: str, code: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command on the platform of a state folder; asserts its exit code."""
    done = subprocess.run(
        [*INVOKE, *arguments],
        cwd=ROOT,
        env={**os.environ, "INVOKE_TAXISTACK_STATE": str(state), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="session")
def invoke_on() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`run_invoke`, for tests with a stack of their own: invoke_on(state, "up", …)."""
    return run_invoke


def quiet():
    """A console that writes to the captured stderr."""
    from taxistack.console import Console

    return Console(assume_yes=True)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The whole local platform: parts, stack, Kestra, flows; on free ports, taken away after."""
    from tests.channel import Channel

    from taxistack.commands import flows, provision
    from taxistack.targets import open_target

    channel = Channel()
    state = tmp_path_factory.mktemp("platform")
    releases = tmp_path_factory.mktemp("published")
    settings = settings_of(state, source=str(releases), sample_rows=200, alarm_webhook=channel.url)
    target = open_target(settings)
    try:
        provision.up(target, quiet())
        flows.deploy_flows(target, quiet(), source=str(releases))
        yield Platform(target, state, releases, channel)
    finally:
        provision.down(target, quiet(), keep_data=False)
        target.forget()
        channel.close()


@pytest.fixture
def zones_list(platform: Platform) -> Iterator[Path]:
    """The list of zones on the platform's release site; gone again afterwards, whatever fails."""
    from taxistack import zones

    path = zones.publish(platform.releases)
    assert path is not None, "another test has left its list behind"
    yield path
    shutil.rmtree(path.parent)


@pytest.fixture(scope="session")
def real_months() -> Path:
    """The folder of real TLC month files; skips where this clone has none beside it."""
    if not TLC.is_dir():
        pytest.skip("the real TLC months are not beside this clone (../shared/tlc)")
    return TLC


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser; skips with the reason where there is none."""
    found = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    if found is None:
        pytest.skip("no Chromium on PATH (Debian: package chromium)")
    return found
