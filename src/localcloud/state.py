"""What a running local cloud tells about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Endpoint:
    """A part that speaks HTTP."""

    url: str = field(repr=False)
    """Where it answers. Of storage and warehouse it has the key in it, and so is a secret."""
    address: str
    """The same without the key."""


@dataclass(frozen=True)
class Postgres:
    """How to connect to the database, in libpq's words."""

    host: str
    port: int
    user: str
    database: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Google:
    """The provider stand-in."""

    address: str
    """The path of its Unix socket."""
    pid: int
    """Its process now; another one after it was healed. 0 while it is being started again."""


@dataclass(frozen=True)
class Kestra:
    """The Kestra instance."""

    url: str | None
    """None when there is no instance."""
    state: str | None
    """RUNNING, TERMINATED, or None when there is no instance."""


@dataclass(frozen=True)
class State:
    """Where everything is, now."""

    storage: Endpoint
    warehouse: Endpoint
    postgres: Postgres
    releases: Endpoint
    google: Google
    kestra: Kestra
    key: str = field(repr=False)
    """What storage and warehouse ask for: in the path, or as a bearer token."""


@dataclass(frozen=True)
class PartStatus:
    """One line of `status`."""

    name: str
    state: str
    """The supervisor's word: RUNNING, STARTING, BACKOFF (crashed, tried again), FATAL (given
    up), STOPPED, EXITED; or ORPHANED: it runs and its supervisor is gone."""
    pid: int | None
    port: int | None
    """None when it listens on a Unix socket."""
    uptime_s: float | None
    rss_bytes: int
    """Resident memory of the part and its children."""
    cpu: float
    """Share of one core since the part started: 0.03 is 3 %."""
    log: Path
    detail: str = ""
    """What the supervisor says about it, such as how it ended last."""


@dataclass(frozen=True)
class InstanceConfig:
    """What the Kestra instance is started with."""

    user: str
    """The administrator's e-mail address."""
    password: str = field(repr=False)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """Name to value; flows read them with `secret('NAME')`."""
    environment: dict[str, str] = field(default_factory=dict)
    """Added to the server's environment; nothing secret."""
    variables: dict[str, str] = field(default_factory=dict)
    """Only for a server in containers: what its compose files ask for; nothing secret."""
