"""Makes ports of this machine's 127.0.0.1 those of a container's, without a port open to anybody.

`outside FOLDER PORT…` runs on the machine's network: it listens on a socket file FOLDER/PORT and
connects to 127.0.0.1:PORT. `inside FOLDER PORT…` runs on the container's network and does the
reverse. Standard library only: it runs in a plain Python image.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends, then say so to the other side, which may go on."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _relay(connect: Callable[[], Awaitable[Streams]]) -> Callable[..., Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            far_reader, far_writer = await connect()
            writers.append(far_writer)
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except OSError as error:
            # A part that is down refuses, a client that is gone resets: neither is ours to mend.
            print(f"relay: {error}", file=sys.stderr)  # noqa: T201
        finally:
            for each in writers:
                each.close()

    return serve


async def run(side: str, folder: Path, ports: list[int]) -> None:
    """Serve the ports until the process is ended."""
    servers = []
    for port in ports:
        path = folder / str(port)
        if side == "outside":
            path.unlink(missing_ok=True)  # left by a relay that was killed
            serve = _relay(lambda port=port: asyncio.open_connection("127.0.0.1", port))
            servers.append(await asyncio.start_unix_server(serve, path))
        else:
            serve = _relay(lambda path=path: asyncio.open_unix_connection(path))
            servers.append(await asyncio.start_server(serve, "127.0.0.1", port))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    _, chosen, where, *numbers = sys.argv
    if chosen not in ("outside", "inside") or not numbers:
        sys.exit("usage: relay.py outside|inside FOLDER PORT…")
    asyncio.run(run(chosen, Path(where), [int(number) for number in numbers]))
