"""TCP ports on 127.0.0.1: free ones, and how a part keeps its own while it is dead.

A port that was bound with SO_REUSEPORT is given again to sockets that say so before they bind and
belong to the same user, and to nobody else. So somebody who lives longer than the parts binds their
ports and listens on none: while a part is dead, who connects is refused, and nobody else can answer
in its place.
"""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

HOST = "127.0.0.1"
_FIRST = 15000
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether nobody listens on `port` and nobody holds it."""
    try:
        claim(port).close()
    except OSError:
        return False
    return True


def claim(port: int) -> socket.socket:
    """Take a port that nobody has; from then on only `joined` comes in. Raises OSError.

    Who claims it too, of this user or of another, is refused.
    """
    with ExitStack() as stack:
        taken = stack.enter_context(socket.socket())
        # What is left of closed connections is no hindrance; afterwards it would let others in.
        _set(taken, socket.SO_REUSEADDR, 1)
        taken.bind((HOST, port))
        _set(taken, socket.SO_REUSEADDR, 0)
        _set(taken, socket.SO_REUSEPORT, 1)  # only now: the claim is one of several that fails
        joined(port).close()  # nobody came in between
        stack.pop_all()
    return taken


def joined(port: int) -> socket.socket:
    """A socket to listen with on a port that is claimed by this user, or on a free one.

    Raises OSError.
    """
    with ExitStack() as stack:
        joining = stack.enter_context(_tcp())
        _set(joining, socket.SO_REUSEADDR, 1)
        _set(joining, socket.SO_REUSEPORT, 1)
        joining.bind((HOST, port))
        stack.pop_all()
    return joining


def to_listen(port: int) -> socket.socket:
    """`joined`, for the one who listens: of two that share a port each would get some connections.

    Raises OSError, when somebody listens too.
    """
    with socket.socket() as other:
        if other.connect_ex((HOST, port)) == 0:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    return joined(port)


def held(port: int) -> socket.socket:
    """A second hold on a port that is claimed by this user. Raises OSError."""
    holding = joined(port)
    _set(holding, socket.SO_REUSEADDR, 0)  # a socket that does not listen must not share by it
    return holding


def _tcp() -> socket.socket:
    """With its protocol's number: asyncio sends at once (TCP_NODELAY) only where it reads that.

    Else an answer whose head and body are written apart takes 40 ms, until the client's
    acknowledgement of the head, which it puts off.
    """
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)


def _set(one: socket.socket, option: int, value: int) -> None:
    one.setsockopt(socket.SOL_SOCKET, option, value)


@contextmanager
def claimed(names: Iterable[str], known: Mapping[str, int]) -> Iterator[dict[str, socket.socket]]:
    """A free port for each name, claimed until the block ends or its socket is closed.

    The known one where it is free, else another, from below the range that the kernel uses for
    outgoing connections: a port in that range can be gone at the moment when a healed part wants
    it back.
    """
    last = _first_ephemeral() - 1
    with ExitStack() as stack:
        claims: dict[str, socket.socket] = {}
        for name in names:
            port = known.get(name)
            while name not in claims:
                try:
                    claims[name] = stack.enter_context(claim(port or _any(last)))
                except OSError:
                    port = None
        yield claims


def _any(last: int) -> int:
    return random.randint(_FIRST, last)  # noqa: S311 (no secret: it must only differ)


def assign(names: Iterable[str], known: Mapping[str, int]) -> dict[str, int]:
    """Ports as `claimed` finds them, and free: for who listens at once, and by itself."""
    with claimed(names, known) as claims:
        return {name: one.getsockname()[1] for name, one in claims.items()}


def _first_ephemeral() -> int:
    try:
        return max(int(_RANGE_FILE.read_text().split()[0]), _FIRST + 5000)
    except (OSError, ValueError):
        return 32768


def holder(port: int) -> str:
    """Who listens on `port`: `name (pid)`, or what can be said about it."""
    for connection in psutil.net_connections("tcp"):
        here = connection.laddr
        if connection.status == psutil.CONN_LISTEN and here and here.port == port:
            if connection.pid is None:
                return "a process of another user"
            return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "nobody"
