"""How a program that refuses to run as root runs for root, wherever its files lie.

The same for a user whom this machine has no name for, as containers are often given.

Two ways, tried in this order:

- `Namespace`: a user namespace that shows this user as another one. Nothing changes its owner, no
  privilege is left, and folders that only root may enter stay reachable. Containers often
  forbid it.
- `OtherUser`: root becomes `nobody`, keeping one capability (CAP_DAC_OVERRIDE, handed on to the
  program) so that it gets to its files below a folder that only root may enter. Allowed in
  containers; impossible where no other user exists (a namespace that maps one user).

PostgreSQL asks three things: not to be user 0, to have a name, and to own its data folder.
Both ways give that.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from pathlib import Path
from typing import Protocol

from localcloud.errors import MissingError

_CLONE_NEWUSER = 0x10000000
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_NOBODY = 65534

_libc = ctypes.CDLL(None, use_errno=True)


class Way(Protocol):
    """One way of not being root."""

    def own(self, folder: Path) -> None:
        """Make `folder`, with all below it, the unprivileged program's own."""

    def enter(self) -> None:
        """Change this process for good; what it then executes is not root."""


def way(folder: Path) -> Way | None:
    """The first way that works on this machine; None where none is needed.

    Raises MissingError when one is needed and none works.
    """
    if not _is_needed():
        return None
    for candidate in (Namespace(), OtherUser()):
        if _works(candidate):
            return candidate
    raise MissingError(
        f"PostgreSQL does not run as user {os.geteuid()} (root, or a user without a name), and "
        "this machine lets that user neither open a user namespace nor become another user "
        f"(the files are in {folder})",
        hint="Run as a normal user, or allow the container SETUID and DAC_OVERRIDE.",
    )


def _is_needed() -> bool:
    return os.geteuid() == 0 or not _has_name(os.geteuid())


def _has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _someone() -> int:
    """A user with a name who is not root: `nobody`, or the first there is."""
    if _has_name(_NOBODY):
        return _NOBODY
    return next((user.pw_uid for user in pwd.getpwall() if user.pw_uid != 0), _NOBODY)


class Namespace:
    """The files stay this user's; inside the namespace they belong to another one."""

    def own(self, folder: Path) -> None:
        """Take everything back, should the other way have been used before."""
        _change_owner(folder, os.geteuid())

    def enter(self) -> None:
        """Open the namespace."""
        inside, user, group = _someone(), os.geteuid(), os.getegid()
        _check(_libc.unshare(_CLONE_NEWUSER), "unshare")
        Path("/proc/self/uid_map").write_text(f"{inside} {user} 1")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{inside} {group} 1")


class OtherUser:
    """Another user, able to pass root's folders."""

    def own(self, folder: Path) -> None:
        """Give everything to that user."""
        _change_owner(folder, _someone())

    def enter(self) -> None:
        """Become that user, with the one capability."""
        user = _someone()
        _check(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl")
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
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
            os._exit(1 if _is_needed() else 0)
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
