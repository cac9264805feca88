"""One tunnel: a child process that relays a port of this machine to a port of the VM."""

from __future__ import annotations

import collections
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from taxistack.errors import MissingError, TransientError
from taxistack.tunnels import gcloud
from taxistack.tunnels.gcloud import VmAddress

GUARD = Path(__file__).with_name("guard.py")
OPENING = 45.0  # seconds; gcloud asks for the VM first, then tries the connection
CLOSING = 5.0  # seconds; the guard takes up to 2 of them
OPENINGS, WINDOW = 5, 60.0  # a tunnel that dies this often within so many seconds is given up
LINES = 40  # of gcloud's output, kept for its last words


class Tunnel:
    """A way to one port of a VM, opened when it is asked for.

    The local port stays the same when the tunnel is opened again. Safe to use from threads.
    """

    def __init__(self, vm: VmAddress, port: int, local_port: int = 0) -> None:
        """`local_port`: where to listen on 127.0.0.1; 0: at a free port that gcloud picks."""
        self.vm = vm
        self.port = port
        self.local_port = local_port
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._said: collections.deque[str] = collections.deque(maxlen=LINES)
        self._opened: collections.deque[float] = collections.deque(maxlen=OPENINGS)
        self.openings = 0
        """How often it was opened so far, the opening in hand included."""

    def alive(self) -> bool:
        """Whether it is open."""
        return self._process is not None and self._process.poll() is None

    def died(self, opening: int, within: float = 2.0) -> bool:
        """Whether that opening has ended, or ends within so many seconds.

        For who was cut off: the way's end is seen a moment before the process's, and another
        thread may have opened it again by then.
        """
        process = self._process
        if process is None or self.openings > opening:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(within)
        return process.returncode is not None

    def ensure(self) -> int:
        """The local port, behind which the tunnel is open now.

        Raises MissingError for what gcloud lacks or a tunnel that dies again and again,
        NotListening when nothing answers at the VM's port, TransientError when it takes too
        long, FailedError for what gcloud says else.
        """
        with self._lock:
            if not self.alive():
                self._close()
                self._refuse_endless()
                try:
                    self._open()
                except BaseException:
                    self._close()
                    raise
            return self.local_port

    def close(self) -> None:
        """End the child process, and whatever it has started."""
        with self._lock:
            self._close()

    def _refuse_endless(self) -> None:
        now = time.monotonic()
        if len(self._opened) == OPENINGS and now - self._opened[0] < WINDOW:
            raise MissingError(
                f"the tunnel to {self.vm.instance}:{self.port} was cut {OPENINGS} times within "
                f"{WINDOW:.0f} s",
                hint="check the network and run the command again: what was done stays done",
            )
        self._opened.append(now)

    def _open(self) -> None:
        command = gcloud.command(self.vm, self.port, self.local_port)
        self._said.clear()
        self.openings += 1  # before its process is there: see `died`
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), *command],
            stdin=subprocess.PIPE,  # held open for as long as this process lives
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=gcloud.environment(),
            start_new_session=True,  # Ctrl-C is for the command, which may need the tunnel to end
        )
        news: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(self._process, news), daemon=True)
        self._reader.start()
        try:
            port = news.get(timeout=OPENING)
        except queue.Empty:
            raise TransientError(
                f"gcloud did not open the tunnel to {self.vm.instance}:{self.port} within "
                f"{OPENING:.0f} s",
                hint="check the network, and run the command again",
            ) from None
        if port is None:
            raise gcloud.problem(self._said, self.vm, self.port)
        self.local_port = port

    def _read(self, process: subprocess.Popen[str], news: queue.SimpleQueue[int | None]) -> None:
        # To the end: a full pipe would stop gcloud.
        stream = process.stdout
        for line in stream or ():
            self._said.append(line.rstrip())
            if (port := gcloud.listening(line)) is not None:
                news.put(port)
        news.put(None)
        if stream:
            stream.close()

    def _close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(CLOSING)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._reader is not None:
            self._reader.join(CLOSING)
            self._reader = None
