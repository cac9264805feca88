"""The Unix socket that Terraform reaches the provider by, and who is calling.

The provider has no login, and with its calls the instance's password can be changed: it listens in
a folder that only its owner may enter. gRPC gives all callers of a Unix socket one name, but each
Terraform run, and each alias of the provider in it, has a provider block of its own. So a
connection is passed on from a socket with a name of its own, which the kernel chooses.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from pathlib import Path

from localcloud import sockets
from localcloud.errors import CloudError

_INNER = "google-calls.sock"
_BLOCK = 1 << 16


class Front:
    """The listening socket in one folder.

    A folder whose path is longer than a socket's may be is named by its open descriptor.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` must be its owner's alone. Raises CloudError."""
        if folder.stat().st_mode & 0o077:
            raise CloudError(f"the provider serves in a folder of its owner's alone, not {folder}")
        self._place = str(folder)
        if not sockets.fits(folder / _INNER):
            self._place = f"/proc/self/fd/{os.open(folder, os.O_RDONLY | os.O_DIRECTORY)}"
        self.inner = f"{self._place}/{_INNER}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.clear()

    def clear(self) -> None:
        """Remove the sockets, also those that a killed process left."""
        for name in (sockets.GOOGLE, _INNER):
            Path(self._place, name).unlink(missing_ok=True)

    def start(self) -> None:
        """Listen; the gRPC server listens at `inner` already."""
        outer = Path(self._place, sockets.GOOGLE)
        self._thread.start()
        listening = asyncio.start_unix_server(self._accept, str(outer))
        asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        for path in (outer, Path(self.inner)):
            path.chmod(0o600)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = socket.socket(socket.AF_UNIX)
        caller.bind(b"")  # a name of its own
        caller.setblocking(False)
        with contextlib.suppress(OSError):  # either side may go at any time
            await self._loop.sock_connect(caller, self.inner)
            inner_reader, inner_writer = await asyncio.open_unix_connection(sock=caller)
            await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_BLOCK):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
