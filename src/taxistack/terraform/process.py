"""One run of Terraform's process: streamed, interrupted gently, never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HIDDEN = "(hidden)"
_MOMENT = 0.05  # seconds between two looks at what the child has written


@dataclass(frozen=True)
class Finished:
    """A process that has ended. `signals` counts the interruptions that were passed on."""

    code: int
    stdout: str
    stderr: str
    signals: int
    timed_out: bool = False


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    secrets: Sequence[str] = (),
    seconds: float | None = None,
    grace: float | None = None,
) -> Finished:
    """Run to the end; `on_line` gets every line of stdout as it comes.

    The process has a session of its own, so a Ctrl-C in the terminal does not reach it: SIGINT
    and SIGTERM to this process are passed on as SIGINT, and its end is waited for, however long
    that takes. Terraform then finishes the calls under way, saves its state and releases its
    lock. A second signal makes it stop at once (what is under way may get lost).

    `seconds`: interrupt it by ourselves after so long. `grace`: kill it so many seconds after the
    first interruption; only for a run that has nothing to lose, and never without it. The values
    in `secrets` are blotted out of everything that it says.
    """
    lines: list[str] = []
    with _Relay() as relay, _Spool() as stdout, _Spool() as stderr:
        process = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout.descriptor,
            stderr=stderr.descriptor,
            start_new_session=True,
            umask=0o077,  # plan files are nobody else's business
        )
        relay.attach(process)
        try:
            running, timed_out, began = True, False, time.monotonic()
            while running:
                running = _alive(process)
                if seconds is not None and time.monotonic() - began > seconds:
                    relay.interrupt()
                    seconds, timed_out = None, True
                if grace is not None and relay.waited() > grace:
                    process.kill()
                for line in stdout.lines(last=not running):
                    text = _blot(line, secrets)
                    lines.append(text)
                    on_line(text)
        except BaseException:
            # `on_line` failed: Terraform must not go on unseen, nor be cut off.
            process.send_signal(signal.SIGINT)
            raise
        finally:
            process.wait()
        errors = [_blot(line, secrets) for line in stderr.lines(last=True)]
    said = "\n".join(lines), "\n".join(errors)
    return Finished(process.returncode, *said, relay.count, timed_out)


def _alive(process: subprocess.Popen[bytes]) -> bool:
    """Wait a moment for the end; False when it has come."""
    try:
        process.wait(_MOMENT)
    except subprocess.TimeoutExpired:
        return True
    return False


class _Spool:
    """A file without a name that a child writes and this process reads.

    Not a pipe: when this process is killed, a pipe breaks, and Terraform would die of its next
    line with its state unsaved and its lock held. So it goes on to its end.
    """

    def __init__(self) -> None:
        self.descriptor, name = tempfile.mkstemp(prefix="taxistack-")
        self._reader = Path(name).open("rb")  # noqa: SIM115 (closed in __exit__)
        Path(name).unlink()
        self._rest = b""

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        os.close(self.descriptor)

    def lines(self, last: bool = False) -> list[str]:
        """The whole lines since the last call; with `last` also one that has no end."""
        *whole, self._rest = (self._rest + self._reader.read()).split(b"\n")
        if last and self._rest:
            whole.append(self._rest)
        return [line.decode(errors="replace") for line in whole]


class _Relay:
    """Passes the first two interruptions of this process on; later ones change nothing.

    Python handles signals in the main thread only; a run in another thread is left alone.
    """

    def __init__(self) -> None:
        self.count = 0
        self._since = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Relay:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        """Name the process; what came before it was there is passed on now."""
        self._process = process
        for _ in range(min(self.count, 2)):
            process.send_signal(signal.SIGINT)

    def interrupt(self) -> None:
        """Interrupt the process without a signal from outside."""
        if self._process is not None:
            self._since = self._since or time.monotonic()
            self._process.send_signal(signal.SIGINT)

    def waited(self) -> float:
        """Seconds since the first interruption; 0 when there was none."""
        return time.monotonic() - self._since if self._since else 0.0

    def _pass_on(self, number: int, frame: object) -> None:
        self.count += 1
        self._since = self._since or time.monotonic()
        if self.count <= 2 and self._process is not None:
            self._process.send_signal(signal.SIGINT)


def _blot(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text
