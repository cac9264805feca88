"""An engine by itself, without the other parts: for as long as a `with` block lasts."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud import ports
from localcloud.errors import PartError
from localcloud.kestra.build import require_built
from localcloud.layout import default_cache

_START_SECONDS = 180  # a busy machine; an idle one needs three
_STOP_SECONDS = 30
_LOG_BYTES = 4000
_USER = "tests@kestra.io"


@dataclass(frozen=True)
class Running:
    """Where the engine answers, and who may ask it. Its log is for people."""

    url: str
    user: str
    password: str = field(repr=False)
    log: Path


@contextlib.contextmanager
def engine(
    folder: Path,
    *,
    known_secrets: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Run an engine on `folder`, which is made; it ends with the block, its processes too.

    `known_secrets`: what `secret('NAME')` gives. `environment`: variables of the server; those
    named ENV_… are what `envs` gives. Tasks run with this Python first on their PATH. Raises
    MissingError when the engine is not built (scripts/bootstrap), PartError when it does not start.
    """
    require_built(default_cache())
    folder.mkdir(parents=True, exist_ok=True)
    free = ports.assign(["face", "controller"], {})
    running = Running(
        f"http://{ports.HOST}:{free['face']}",
        _USER,
        f"{secrets.token_urlsafe(18)}Aa1",
        folder / "engine.log",
    )
    config = folder / "kestra.json"
    config.touch(mode=0o600)
    config.write_text(
        json.dumps(
            {
                "host": ports.HOST,
                "port": free["face"],
                "controller_port": free["controller"],
                "data": str(folder / "data"),
                "user": running.user,
                "password": running.password,
                "secrets": dict(known_secrets or {}),
                "environment": dict(environment or {}),
                "path": os.pathsep.join(
                    [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
                ),
                "cache": str(default_cache()),
            }
        ),
        encoding="utf-8",
    )
    with running.log.open("ab") as log:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "localcloud.kestra", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is the tests' to handle
        )
    try:
        _wait(launcher, running)
        yield running
    finally:
        launcher.send_signal(signal.SIGTERM)
        try:
            launcher.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            launcher.kill()  # what it started dies with it (launcher.py)
            launcher.wait()


def _wait(launcher: subprocess.Popen[bytes], running: Running) -> None:
    give_up = time.monotonic() + _START_SECONDS
    # Without the user's proxy, which has no business with a server of this machine
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        with contextlib.suppress(urllib.error.URLError, OSError):
            direct.open(f"{running.url}/api/v1/configs", timeout=10).close()
            return
        ended = launcher.poll() is not None
        if ended or time.monotonic() > give_up:
            tail = running.log.read_text(errors="replace")[-_LOG_BYTES:]
            why = "it ended" if ended else f"no answer within {_START_SECONDS} s"
            raise PartError("kestra", f"it did not start: {why}", log=tail)
        time.sleep(0.1)
