"""Ctrl-C while a command is still loading: Invoke would end it without a word.

`tasks.py` imports this first; the boundary of a command gives the signal back to Python, which then
raises KeyboardInterrupt as usual.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

_PROGRAMS = {"invoke", "inv", "taxistack"}


def _say_a_word(number: int, frame: object) -> NoReturn:
    os.write(2, b"interrupted: nothing was begun\n")
    os._exit(130)  # modules are half loaded: nothing of them may run


def is_a_command() -> bool:
    """Whether this process is one of our commands, and not a program that imports them."""
    program = Path(sys.argv[0])
    return program.name in _PROGRAMS or program.parent.name in _PROGRAMS  # invoke/__main__.py


def watch() -> None:
    """Answer Ctrl-C from now on; does nothing where the program is no command of ours.

    A program that ignores the signal (in the background of a script) goes on ignoring it.
    """
    if is_a_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _say_a_word)


def give_back() -> None:
    """Let Python raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _say_a_word:
        signal.signal(signal.SIGINT, signal.default_int_handler)
