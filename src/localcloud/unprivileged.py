"""How a program that refuses to run as root runs for root, wherever its files lie.

Two ways, tried in this order:

- `Namespace`: a user namespace that shows root as another user. Nothing changes its owner, no
  privilege is left, and folders that only root may enter stay reachable. Containers often
  forbid it.
- `OtherUser`: become the user `nobody`, keeping one capability (CAP_DAC_OVERRIDE, handed on to
  the program) so that it gets to its files below a folder that only root may enter. Allowed in
  containers; impossible where no other user exists (a namespace that maps one user).

PostgreSQL asks two things: not to be user 0, and to own its data folder. Both ways give that.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Protocol

from localcloud.errors import MissingError

_CLONE_NEWUSER = 0x10000000
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_INSIDE = 1000  # any id but 0
_NOBODY = 65534

_libc = ctypes.CDLL(None, use_errno=True)


class Way(Protocol):
    """One way of not being root."""

    def own(self, folder: Path) -> None:
        """Make `folder`, with all below it, the unprivileged program's own."""

    def enter(self) -> None:
        """Change this process for good; what it then executes is not root."""


def way(folder: Path) -> Way:
    """The first way that works on this machine. Raises MissingError when none does."""
    for candidate in (Namespace(), OtherUser()):
        if _works(candidate):
            return candidate
    raise MissingError(
        f"PostgreSQL does not run as root, and this machine lets root neither open a user "
        f"namespace nor become another user (its files are in {folder})",
        hint="Run as a normal user, or allow the container SETUID and DAC_OVERRIDE.",
    )


class Namespace:
    """Root's files stay root's; inside the namespace they belong to another user."""

    def own(self, folder: Path) -> None:
        """Give everything back to root, should the other way have been used before."""
        _change_owner(folder, 0)

    def enter(self) -> None:
        """Open the namespace."""
        _check(_libc.unshare(_CLONE_NEWUSER), "unshare")
        Path("/proc/self/uid_map").write_text(f"{_INSIDE} 0 1")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{_INSIDE} 0 1")


class OtherUser:
    """The user `nobody`, able to pass root's folders."""

    def own(self, folder: Path) -> None:
        """Give everything to that user."""
        _change_owner(folder, _NOBODY)

    def enter(self) -> None:
        """Become that user, with the one capability."""
        _check(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl")
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
        bit = 1 << _CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
        _check(_libc.capset(header, sets), "capset")
        raised = _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)
        _check(raised, "prctl")


def _works(candidate: Way) -> bool:
    """Try it in a child process."""
    child = os.fork()
    if child == 0:
        try:
            candidate.enter()
            os._exit(0 if os.geteuid() != 0 else 1)
        except BaseException:  # the child must not return into its parent's code
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _change_owner(folder: Path, user: int) -> None:
    if folder.stat().st_uid == user:
        return
    for path in folder.rglob("*"):
        os.chown(path, user, user, follow_symlinks=False)
    os.chown(folder, user, user)


def _check(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
