"""`tunnel`: ways to Kestra and PostgreSQL that stay open for psql, notebooks and BI tools."""

from __future__ import annotations

import contextlib
import socket

from taxistack.commands import status
from taxistack.console import Console
from taxistack.errors import UsageError
from taxistack.targets import Target
from taxistack.tunnels import KESTRA_PORT, POSTGRES_PORT, Ways, hold, keep_open

SECRETS = {"KESTRA_PASSWORD", "PGPASSWORD", "DATABASE_URL"}


def tunnel(target: Target, console: Console, *, kestra_port: int, postgres_port: int) -> None:
    """Hold both tunnels open until Ctrl-C; on the local target say that none is needed.

    A port of 0 is 8080 or 5432 where that is free, else a free one.
    """
    for flag, port in {"--kestra-port": kestra_port, "--postgres-port": postgres_port}.items():
        if not 0 <= port <= 65535:
            raise UsageError(f"{flag} {port}: must be a port, 1 to 65535")
    if kestra_port and kestra_port == postgres_port:
        raise UsageError(f"--postgres-port {postgres_port}: is --kestra-port's already")
    if target.ways is None:
        _show(target, console)
        console.summary(f"the {target.name} target needs no tunnel: everything is on this machine")
        return
    _hold(target, target.ways, console, kestra_port, postgres_port)


def _hold(
    target: Target, ways: Ways, console: Console, kestra_port: int, postgres_port: int
) -> None:
    with hold(ways.file) as write:
        with contextlib.suppress(KeyboardInterrupt):
            kestra = ways.tunnel(KESTRA_PORT, kestra_port or _free(KESTRA_PORT))
            postgres = ways.tunnel(POSTGRES_PORT, postgres_port or _free(POSTGRES_PORT))
            console.say(f"opening tunnels to {kestra.vm.instance}")
            write(kestra.ensure(), postgres.ensure())
            _show(target, console)
            console.say("open until Ctrl-C; `invoke status --env` prints the passwords too")
            keep_open([kestra, postgres], console.say)
        target.forget()
    console.summary("the tunnels are closed")


def _free(port: int) -> int:
    """The port when nobody has it, else 0: gcloud picks one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def _show(target: Target, console: Console) -> None:
    """What `status --env` prints, but for the passwords: these stand on a screen for hours."""
    values = {k: v for k, v in status.environment(target).items() if k not in SECRETS}
    status.show_environment(values, console)
