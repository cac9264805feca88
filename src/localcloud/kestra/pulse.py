"""Whether the engine still answers: one that has stopped to, for good, is ended.

A process that has crashed is started again by the supervisor; one that lives and does nothing any
more, because threads wait for each other or the database for its disk, would stand still for ever,
and every load with it. It is killed like one that crashed, which loses nothing: what it has told is
in its database, and its tasks are given out again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time

from localcloud import probe
from localcloud.kestra.config import Config

_PAUSE_SECONDS = 10.0
_TRIES = 3
_DUMP_SECONDS = 2.0
PATH = "/api/v1/main/namespaces/system/kv/pulse"
"""What it asks for. There is no such key: the database has to say so, and that is what matters."""


def watch(config: Config, engine: subprocess.Popen[bytes]) -> None:
    """Watch it from a thread of its own, as long as it runs, from its first answer on.

    When it has been silent for `config.silence_seconds`, its threads are in the log and it is
    killed. These are counted in questions and not by the clock: a machine that slept, or a family
    of processes that was stopped, is not taken for a silent engine.
    """
    threading.Thread(target=_watch, args=(config, engine), daemon=True).start()


def _watch(config: Config, engine: subprocess.Popen[bytes]) -> None:
    patience = config.silence_seconds / _TRIES
    began, unanswered = False, 0
    while engine.returncode is None:
        time.sleep(min(_PAUSE_SECONDS, patience))
        if _answers(config, patience):
            began, unanswered = True, 0
        elif began:
            unanswered += 1
        if unanswered == _TRIES:
            _end(config, engine)
            return


def _answers(config: Config, patience: float) -> bool:
    status = probe.status(config.port, PATH, probe.login(config.user, config.password), patience)
    return status is not None and status < 500


def _end(config: Config, engine: subprocess.Popen[bytes]) -> None:
    said = f"the engine has not answered for {config.silence_seconds:g} s; it is started again\n"
    os.write(2, said.encode())
    for number, seconds in ((signal.SIGQUIT, _DUMP_SECONDS), (signal.SIGKILL, 0.0)):
        # Who waits for it has the last word: its number may be another process's after that.
        if engine.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(engine.pid, number)
        time.sleep(seconds)
