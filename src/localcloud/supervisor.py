"""The supervisor (supervisord): its configuration, its start, and how it is talked to.

It is a daemon of its own session, so the parts survive the terminal that started them; it
starts what crashes again and rotates the logs. It listens on a Unix socket in the private
folder; below a long path it is addressed relative to that folder, because the address of a socket
may be no longer than 107 characters and a path may.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud import processes, sockets
from localcloud.errors import CloudError, PartError, SupervisorError
from localcloud.layout import CACHE_VARIABLE, Layout, write_private
from localcloud.parts import PARTS, Part

GROUP = "cloud"
_SOCKET = "supervisor.sock"
_LOG_BYTES = "5MB"
_LOG_FILES = 3
_POLL = 0.05  # asking also wakes the supervisor, which else looks round once a second
_FILES = 1024  # what supervisord asks for, and raises the soft limit to
_STOP_SECONDS = 15.0
_ANSWER_SECONDS = 30.0  # it has one thread, which also reads what its parts print
# What the parts get of the caller's environment: where programs are, how to reach the net.
# Nothing else, so that neither the operator's credentials nor an odd setting gets in.
_PASSED = (
    *("LANG", "LC_ALL", "LD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


def configuration(layout: Layout, held: Iterable[int] = ()) -> str:
    """supervisord's configuration for the local cloud in `layout`; it holds the ports `held`."""
    folder = _quoted(layout.folder)
    socket_path = layout.private / _SOCKET
    # Its own folder, as itself: supervisord makes a relative path absolute, and so too long.
    place = _quoted(socket_path) if sockets.fits(socket_path) else f"/proc/self/cwd/{_SOCKET}"
    sections = [
        "[unix_http_server]",
        f"file={place}",
        "chmod=0600",
        "[supervisord]",
        f"logfile={folder}/logs/supervisor.log",
        f"logfile_maxbytes={_LOG_BYTES}",
        f"logfile_backups={_LOG_FILES}",
        f"childlogdir={folder}/logs",
        "pidfile=supervisord.pid",
        "umask=077",
        *(["user=root"] if os.geteuid() == 0 else []),
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        "[rpcinterface:ports]",
        "supervisor.rpcinterface_factory = localcloud.holding:interface",
        f"held = {' '.join(map(str, held))}",
        # One group: they are told to stop together, not one after the other.
        f"[group:{GROUP}]",
        f"programs={','.join(PARTS)}",
    ]
    for part in PARTS.values():
        sections += _program(part, layout)
    return "\n".join(sections) + "\n"


def _program(part: Part, layout: Layout) -> list[str]:
    folder = _quoted(layout.folder)
    return [
        f"[program:{part.name}]",
        f'command="{_quoted(sys.executable)}" -m localcloud.run {part.name} "{folder}"',
        f"directory={folder}",
        f"autostart={'false' if part.on_demand else 'true'}",
        "autorestart=true",
        "startsecs=1",
        "startretries=5",
        f"stopsignal={part.stop_signal}",
        f"stopwaitsecs={part.stop_seconds}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={folder}/logs/{part.name}.log",
        f"stdout_logfile_maxbytes={_LOG_BYTES}",
        f"stdout_logfile_backups={_LOG_FILES}",
    ]


def _quoted(path: Path | str) -> str:
    """A path as supervisord's configuration wants it: `%` doubled, no quote or line break."""
    text = str(path)
    if any(sign in text for sign in "\"\n\r;'\\"):
        raise CloudError(
            f"the path {text!r} has a quote, a semicolon, a backslash or a line break in it, "
            "which the supervisor's configuration can't carry",
            hint="Move the clone to another folder.",
        )
    return text.replace("%", "%%")


def environment(
    layout: Layout, cache: Path, mark: str, caller: Mapping[str, str]
) -> dict[str, str]:
    """The environment of the supervisor and its parts."""
    passed = {name: caller[name] for name in _PASSED if name in caller}
    own_programs = str(Path(sys.executable).parent)
    return {
        "LANG": "C.UTF-8",
        **passed,
        "PATH": os.pathsep.join([own_programs, caller.get("PATH", os.defpath)]),
        "HOME": str(layout.home),
        "TMPDIR": str(layout.tmp),
        CACHE_VARIABLE: str(cache),  # the default hangs on HOME
        "PYTHONUNBUFFERED": "1",
        processes.MARK: mark,
    }


def launch(layout: Layout, cache: Path, mark: str, held: Iterable[int] = ()) -> dict[str, float]:
    """Start the supervisor and wait until it listens; give its process id and start time.

    `held`: ports that are claimed until this returns, and that it holds from then on.
    """
    if 0 <= (allowed := resource.getrlimit(resource.RLIMIT_NOFILE)[1]) < _FILES:
        raise CloudError(
            f"this shell allows {allowed} open files, and the local cloud needs {_FILES}",
            hint=f"ulimit -n {_FILES}, or higher limits for this user",
        )
    write_private(layout.supervisor_config, configuration(layout, held))
    (layout.private / _SOCKET).unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", layout.supervisor_config.name],
        cwd=layout.private,
        env=environment(layout, cache, mark, os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SupervisorError(f"the supervisor did not start: {done.stdout.strip()}")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(xmlrpc.client.Error, SupervisorError), client(layout) as rpc:
            identity = processes.identity(rpc.getPID())
            (layout.run / "supervisor.json").write_text(json.dumps(identity))
            return identity
        time.sleep(0.02)
    raise SupervisorError(f"the supervisor does not answer; its log is {layout.log('supervisor')}")


class _Transport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket. Supervisor's own one loads its whole server with it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """One connection, kept for the calls that follow."""
        kept = self._connection[1]
        if kept is None:
            kept = _Connection(self._path)
            self._connection = (host, kept)
        return kept


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("supervisor", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@contextlib.contextmanager
def client(layout: Layout, interface: str = "supervisor") -> Iterator[Any]:
    """The supervisor's XML-RPC methods. Raises SupervisorError when it is not there."""
    try:
        with sockets.at_hand(layout.private, _SOCKET) as path:
            transport = _Transport(path)
            with contextlib.closing(transport):
                yield getattr(
                    xmlrpc.client.ServerProxy("http://supervisor", transport=transport), interface
                )
    except (OSError, http.client.HTTPException) as error:
        raise SupervisorError(
            f"the supervisor of {layout.folder} does not answer: {error}"
        ) from error


def part_info(layout: Layout) -> dict[str, dict[str, Any]]:
    """What the supervisor knows of each part, by name: `statename`, `pid`, `description`, …"""
    with client(layout) as rpc:
        return {info["name"]: info for info in rpc.getAllProcessInfo()}


def start_part(layout: Layout, name: str) -> None:
    """Start one part; does not wait until it answers."""
    with client(layout) as rpc, contextlib.suppress(xmlrpc.client.Fault):  # it may run already
        rpc.startProcess(f"{GROUP}:{name}", False)


def stop_part(layout: Layout, name: str, *, now: bool = False) -> None:
    """Stop one part and wait until it has ended.

    `now`: give what it runs no time to finish; for a part whose data is removed next.
    """
    with client(layout) as rpc, contextlib.suppress(xmlrpc.client.Fault):  # it may be down already
        pid = rpc.getProcessInfo(f"{GROUP}:{name}")["pid"]
        rpc.stopProcess(f"{GROUP}:{name}", False)
        if now and pid:
            processes.kill_below(pid)
        while rpc.getProcessInfo(f"{GROUP}:{name}")["statename"] == "STOPPING":
            time.sleep(_POLL)


def hold(layout: Layout, numbers: Iterable[int]) -> None:
    """Let it hold these ports of Kestra's. Raises PartError for one that somebody else has."""
    _about_ports(layout, "hold", numbers)


def let_go(layout: Layout, numbers: Iterable[int]) -> None:
    """Let it hold these ports no longer: Docker publishes them."""
    _about_ports(layout, "let_go", numbers)


def _about_ports(layout: Layout, call: str, numbers: Iterable[int]) -> None:
    with client(layout, "ports") as rpc:
        for number in numbers:
            try:
                getattr(rpc, call)(number)
            except xmlrpc.client.Fault as fault:  # of an older supervisor, too, which holds none
                raise PartError(
                    "kestra",
                    f"its port can't be taken: {fault.faultString}",
                    hint="`invoke stop`, then `invoke start`: another one is taken where need be.",
                ) from fault


def shut_down(layout: Layout, *, now: bool = False) -> None:
    """Stop all parts at once, then the supervisor; give up after a while (the caller sweeps).

    `now`: kill them, for a local cloud whose data are removed next. The instance is stopped before
    that (`stop_part`): what it runs needs the other parts.
    """
    deadline = time.monotonic() + _STOP_SECONDS
    with client(layout) as rpc:
        pid = rpc.getPID()
        rpc.stopProcessGroup(GROUP, False)  # first: what is to run is started again when it dies
        for info in rpc.getAllProcessInfo() if now else ():
            processes.kill_group(info["pid"])
        while any(info["statename"] == "STOPPING" for info in rpc.getAllProcessInfo()):
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL)
        rpc.shutdown()
    while processes.is_alive_pid(pid) and time.monotonic() < deadline:
        time.sleep(_POLL)
