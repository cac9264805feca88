"""One run of Terraform's process: streamed, interrupted gently, never left behind."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Finished:
    """A process that has ended. `signals` counts the interruptions that were passed on."""

    code: int
    stdout: str
    stderr: str
    signals: int


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    secrets: Sequence[str] = (),
) -> Finished:
    """Run to the end; `on_line` gets every line of stdout as it comes.

    The process has a session of its own, so a Ctrl-C in the terminal does not reach it: SIGINT
    and SIGTERM to this process are passed on as SIGINT, and its end is waited for, however long
    that takes. Terraform then finishes the calls under way, saves its state and releases its
    lock. A second signal makes it stop at once (what is under way may get lost); nothing here
    kills it. The values in `secrets` are blotted out of everything that it says.
    """
    stdout: list[str] = []
    stderr: list[str] = []
    with _Relay() as relay:
        process = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            umask=0o077,  # plan files are nobody else's business
        )
        relay.attach(process)
        reader = threading.Thread(target=_drain, args=(process.stderr, stderr, secrets))
        reader.start()
        with process:
            try:
                for line in process.stdout or ():
                    text = _blot(line.rstrip("\n"), secrets)
                    stdout.append(text)
                    on_line(text)
            except BaseException:
                # `on_line` failed: Terraform must not go on unseen, nor be cut off.
                process.send_signal(signal.SIGINT)
                _drain(process.stdout, stdout, secrets)
                raise
            finally:
                process.wait()
                reader.join()
    return Finished(process.returncode, "\n".join(stdout), "\n".join(stderr), relay.count)


class _Relay:
    """Passes the first two interruptions of this process on; later ones change nothing.

    Python handles signals in the main thread only; a run in another thread is left alone.
    """

    def __init__(self) -> None:
        self.count = 0
        self._process: subprocess.Popen[str] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Relay:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def attach(self, process: subprocess.Popen[str]) -> None:
        """Name the process; what came before it was there is passed on now."""
        self._process = process
        for _ in range(min(self.count, 2)):
            process.send_signal(signal.SIGINT)

    def _pass_on(self, number: int, frame: object) -> None:
        self.count += 1
        if self.count <= 2 and self._process is not None:
            self._process.send_signal(signal.SIGINT)


def _blot(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text


def _drain(stream: Iterable[str] | None, into: list[str], secrets: Sequence[str]) -> None:
    for line in stream or ():
        into.append(_blot(line.rstrip("\n"), secrets))
