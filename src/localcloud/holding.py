"""What the supervisor has beside its own calls: the ports of the parts, held as long as it lives.

Loaded by the supervisor itself, as one more interface of its calls. A part that dies is started
again on its port, and nobody else can take it meanwhile (`ports`). Two ports are not held:
PostgreSQL's, whose server shares none, and that of a Kestra in containers, which Docker publishes.
"""

from __future__ import annotations

import socket
from typing import Any

from supervisor.xmlrpc import Faults, RPCError

from localcloud import ports


class Holding:
    """The ports that are held. Its methods are calls: they give True, or raise RPCError."""

    def __init__(self, held: list[int]) -> None:
        """`held`: ports that the command which starts the supervisor has claimed."""
        self._held: dict[int, socket.socket] = {port: ports.held(port) for port in held}

    def hold(self, port: int) -> bool:
        """Hold this one, too, if it is not held yet."""
        try:
            if port not in self._held:
                self._held[port] = ports.claim(port)
        except OSError as error:
            raise RPCError(Faults.FAILED, f"port {port}: {error.strerror}") from error
        return True

    def let_go(self, port: int) -> bool:
        """Hold it no longer: it goes to somebody who shares no port."""
        if port in self._held:
            self._held.pop(port).close()
        return True


def interface(_: Any, held: str) -> Holding:
    """What the supervisor makes of its configuration; `held`: numbers divided by blanks."""
    return Holding([int(port) for port in held.split()])
