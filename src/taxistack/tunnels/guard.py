"""Run a program for as long as the pipe on standard input is open; a script of its own.

    python -I -S guard.py PROGRAM ARGUMENT…

Who starts it holds the other end of the pipe and makes it the leader of a process group. A
process that is killed can't clean up, but the system closes its pipes: so the program ends with
it, however that ends. The program's whole group goes, because the `gcloud` on PATH is a shell
script that starts Python and does not hand signals on.
"""

import os
import signal
import subprocess
import sys
import threading
import time

PATIENCE = 2.0  # seconds between asking a program to end and ending it


def _watch() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(PATIENCE)
    os.killpg(0, signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run `command`; does not return when it could be started."""
    # A handler, not SIG_IGN: what is ignored stays ignored in the program that is started.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    threading.Thread(target=_watch, daemon=True).start()
    program.wait()
    os.killpg(0, signal.SIGKILL)  # what it left in its group; and the guard, whose work is done
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
