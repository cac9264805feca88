"""How a process is run: streamed, blotted, and never left behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from taxistack.terraform.process import Finished, run

# Ends as Terraform does: on SIGINT it tidies up, and it says so.
GENTLE = """
import signal, sys, time
def stop(*_):
    print("tidied", flush=True)
    sys.exit(1)
signal.signal(signal.SIGINT, stop)
print("ready", flush=True)
time.sleep(60)
"""


def start(code: str, folder: Path, **options) -> Finished:
    options.setdefault("on_line", lambda line: None)
    return run([sys.executable, "-c", code], folder=folder, environment=dict(os.environ), **options)


def test_lines_come_as_they_are_written(tmp_path: Path) -> None:
    lines: list[str] = []
    code = "import sys; print('a'); print('b'); print('c', file=sys.stderr); sys.exit(3)"
    done = start(code, tmp_path, on_line=lines.append)
    assert lines == ["a", "b"]
    assert (done.code, done.stdout, done.stderr, done.signals) == (3, "a\nb", "c", 0)


def test_much_on_stderr_does_not_block(tmp_path: Path) -> None:
    done = start("import sys; sys.stderr.write('x' * 1_000_000); print('end')", tmp_path)
    assert (done.stdout, len(done.stderr)) == ("end", 1_000_000)


def test_secrets_are_blotted_out_of_everything(tmp_path: Path) -> None:
    code = "import sys; print('pw=hunter2!'); print('hunter2!', file=sys.stderr)"
    lines: list[str] = []
    done = start(code, tmp_path, secrets=["hunter2!"], on_line=lines.append)
    assert "hunter2!" not in repr((done, lines))
    assert done.stdout == "pw=(hidden)"


def test_nothing_can_be_asked_for(tmp_path: Path) -> None:
    assert start("import sys; print(repr(sys.stdin.read()))", tmp_path).stdout == "''"


def test_when_the_listener_fails_the_process_is_ended_gently(tmp_path: Path) -> None:
    seen: list[str] = []

    def fail(line: str) -> None:
        seen.append(line)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        start(GENTLE + "\nprint('never')", tmp_path, on_line=fail)
    assert seen == ["ready"]


def test_two_signals_at_once_are_passed_on_and_waited_for(tmp_path: Path) -> None:
    import signal

    def interrupt(line: str) -> None:
        if line == "ready":
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    done = start(GENTLE, tmp_path, on_line=interrupt)
    assert done.stdout == "ready\ntidied"
    assert (done.code, done.signals) == (1, 1)
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_signals_stay_where_they_were(tmp_path: Path) -> None:
    found: list[Finished] = []
    thread = threading.Thread(target=lambda: found.append(start("print('x')", tmp_path)))
    thread.start()
    thread.join()
    assert found[0].stdout == "x"


# Heeds nothing, as `terraform init` does while a server does not answer.
DEAF = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def test_what_has_nothing_to_lose_and_heeds_no_interruption_is_killed(tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    done = start(DEAF, tmp_path, on_line=interrupt, grace=0.1)
    assert (done.code, done.signals) == (-signal.SIGKILL, 1)


def test_a_run_with_a_time_limit_ends_by_itself(tmp_path: Path) -> None:
    done = start(GENTLE, tmp_path, seconds=1.5)
    assert done.timed_out
    assert (done.code, done.signals) == (1, 0)


def test_a_run_with_a_time_limit_that_heeds_nothing_is_killed(tmp_path: Path) -> None:
    done = start(DEAF, tmp_path, seconds=0.5, grace=0.1)
    assert (done.code, done.timed_out) == (-signal.SIGKILL, True)
