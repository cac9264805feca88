"""Runs the engine in the foreground and leaves nothing behind, however it ends.

Three processes, each of which ends what is left of the others:

    keeper    what was started; waits, passes signals on
    └── nurse     starts the JVM, waits for it and asks whether it still answers
        └── JVM       the engine
            └── …         the processes of its tasks

Keeper and nurse adopt orphans. When the JVM is killed the nurse ends its tasks; when the nurse is
killed the JVM dies with it and the keeper ends the tasks; when the keeper is killed the nurse
hears of it and ends the JVM and the tasks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from localcloud.errors import BusyError, CloudError, PartError
from localcloud.kestra import family, pulse
from localcloud.kestra.build import require_built
from localcloud.kestra.config import Config
from localcloud.kestra.runtime import Build, engine_version

_STOP_SECONDS = 8.0  # the supervisor kills the group after 10
_LOCK_SECONDS = 5.0  # a killed predecessor needs a moment to end its tasks
_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ORPHANED = signal.SIGUSR1


def run(config: Config) -> int:
    """Run one engine until it ends or is told to; gives the exit code.

    Raises BusyError when another engine uses the same data, MissingError when it is not built.
    """
    require_built(config.cache)
    build = Build(config.cache)
    with contextlib.suppress(OSError):  # the cache may be somebody else's
        build.marker.touch()  # it is in use: the next build keeps it
    config.data.mkdir(parents=True, exist_ok=True)
    with _only_user_of(config.data):
        note_version(config.data, engine_version())
        family.adopt_orphans()
        keeper = os.getpid()
        # Signals wait until there is somebody to pass them on to.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        nurse = os.fork()
        if nurse == 0:
            os._exit(_nurse(config, build, keeper))
        return _keep(nurse)


@contextlib.contextmanager
def _only_user_of(data: Path) -> Iterator[None]:
    """The database takes one process. The lock passes to the nurse too: it ends with the last."""
    path = data / "engine.lock"
    with path.open("a+", encoding="ascii") as lock:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.seek(0)
                    raise BusyError(
                        f"the Kestra data in {data} are in use by process {lock.read().strip()}",
                        hint="Stop that engine first, or give this one another folder.",
                    ) from None
                time.sleep(0.1)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def note_version(data: Path, version: str) -> None:
    """Write down which release last used the data; an older one can't read what it made of them.

    A newer release brings them up to date by itself. Raises CloudError.
    """
    note = data / "engine.version"
    before = note.read_text(encoding="ascii").strip() if note.exists() else version
    if _numbers(before) > _numbers(version):
        raise CloudError(
            f"the Kestra data in {data} were last used by Kestra {before}, and this is {version}, "
            "which can't read them",
            hint="Start them with the newer clone; or `invoke down`, `invoke up` and `invoke "
            "restore` of a backup that an older one made.",
        )
    note.write_text(f"{version}\n", encoding="ascii")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _keep(nurse: int) -> int:
    def pass_on(number: int, _: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(nurse, number)

    for number in _STOP:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
    _, status = os.waitpid(nurse, 0)
    family.end_descendants()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


class _AskedToEnd(Exception):
    """A signal came: end in good order, or at once."""

    def __init__(self, at_once: bool) -> None:
        self.at_once = at_once


def _nurse(config: Config, build: Build, keeper: int) -> int:
    def end(number: int, _: FrameType | None) -> None:
        raise _AskedToEnd(at_once=number == _ORPHANED)

    try:
        family.adopt_orphans()
        for number in (*_STOP, _ORPHANED):
            signal.signal(number, end)
        family.die_with(keeper, _ORPHANED)
        engine = _start(config, build)
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
            code = _wait(engine)
            # The Java runtime's own crash, once in some hundred starts: nobody asked for this end.
            if code == -signal.SIGABRT:
                os.write(2, b"the Java runtime crashed; it is started once more\n")
                family.end_descendants()
                engine = _start(config, build)
                code = _wait(engine)
            return _after_death(code)
        except _AskedToEnd as order:
            return _stop(engine, at_once=order.at_once)
    except Exception as error:
        os.write(2, f"{error}\n".encode())
        return 1
    finally:
        _ignore_signals()
        family.end_descendants()


def _start(config: Config, build: Build) -> subprocess.Popen[bytes]:
    tmp = config.data / "tmp"
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(mode=0o700)
    give_database(config.data, build, tmp)
    engine = subprocess.Popen(
        build.command(tmp),
        stdin=subprocess.PIPE,
        env=config.jvm_environment(os.environ),
        cwd=config.data,
        preexec_fn=family.dying_with_parent(signal.SIGKILL),
    )
    assert engine.stdin is not None  # noqa: S101 (a pipe was asked for)
    with contextlib.suppress(BrokenPipeError), engine.stdin as stdin:
        stdin.write(config.settings().encode())
    pulse.watch(config, engine)
    return engine


def give_database(data: Path, build: Build, tmp: Path) -> None:
    """A new engine begins with the database of the build; one that has its own keeps that.

    `tmp`: a folder of the same file system, for a copy that is whole or not there.
    """
    database = data / build.database.name
    if not database.exists():
        shutil.copyfile(build.database, tmp / database.name)
        (tmp / database.name).rename(database)


def _wait(engine: subprocess.Popen[bytes]) -> int:
    """The JVM's exit code. Adopted orphans that end meanwhile are taken note of and forgotten."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == engine.pid:
            engine.returncode = os.waitstatus_to_exitcode(status)
            return engine.returncode


def _after_death(code: int) -> int:
    """The JVM ended by itself: never what was wanted."""
    return code if code > 0 else 1


def _stop(engine: subprocess.Popen[bytes], *, at_once: bool) -> int:
    _ignore_signals()
    if at_once:
        engine.kill()
        engine.wait()
        return 1
    engine.terminate()
    try:
        engine.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()
        raise PartError(
            "kestra", f"it did not stop in {_STOP_SECONDS:.0f} s and was killed"
        ) from None
    return 0


def _ignore_signals() -> None:
    for number in (*_STOP, _ORPHANED):
        signal.signal(number, signal.SIG_IGN)
