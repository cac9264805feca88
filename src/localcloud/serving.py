"""uvicorn on the port of a part, which the supervisor holds."""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn

from localcloud import ports

_FAILED = 3  # uvicorn's own code for it


class Server(uvicorn.Server):
    """uvicorn's server; its own way to a port shares none."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the port of the configuration, until told to stop."""
        try:
            listener = ports.to_listen(self.config.port)
        except OSError as error:
            logging.getLogger("uvicorn.error").error("port %d: %s", self.config.port, error)
            sys.exit(_FAILED)
        await super().serve([listener])
