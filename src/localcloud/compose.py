"""The Kestra server in containers: a Docker Compose project instead of the embedded engine.

The supervisor owns `docker compose up` in the foreground: the containers' logs are the part's log,
and when that program dies it is started again and finds its containers. A container that ends for
good ends the others and that program, so all are started again together. Stopping takes the
containers away and keeps their volumes.

What the compose files ask for stands below the private folder: one file of variables, none of
them secret, and one file a secret. No secret is in an argument or in an environment.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from localcloud import processes
from localcloud.errors import CloudError, MissingError, PartError, StopError
from localcloud.layout import Layout, write_private
from localcloud.ports import HOST

# The parts that flows speak to: the containers find them at the same ports of their own 127.0.0.1.
_RELAYED = ("storage", "warehouse", "postgres", "releases")
_DATABASE_SECRET = "KESTRA_DB_PASSWORD"  # noqa: S105 (the name of a secret)
# How Docker's client finds its engine. DOCKER_AUTH_CONFIG, which holds a password, is not here.
_DOCKER_VARIABLES = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"),
    "XDG_RUNTIME_DIR",
)
_PASSED = (
    *("LANG", "LC_ALL", "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
_ANSWER_SECONDS = 30  # for a question to Docker
_DOWN_SECONDS = 300
_TAIL = 12  # lines of Docker's own words in an error


@dataclass(frozen=True)
class Compose:
    """Which compose files to run, under which project name, with which Docker."""

    files: tuple[str, ...]
    """Absolute paths; the first one's folder is what relative paths in all of them mean."""
    project: str
    docker: str = "docker"
    """The program; an absolute path where it is known."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """How its client finds the engine; nothing secret."""

    @classmethod
    def with_docker_of(
        cls, caller: Mapping[str, str], files: tuple[Path, ...], project: str
    ) -> Compose:
        """With the Docker client of the environment `caller`; whether it works is not asked."""
        passed = {name: caller[name] for name in _DOCKER_VARIABLES if name in caller}
        # The parts have another HOME, and contexts and plugins are in the user's.
        own = caller.get("DOCKER_CONFIG") or str(Path(caller.get("HOME") or "/") / ".docker")
        return cls(
            files=tuple(str(file) for file in files),
            project=project,
            docker=shutil.which("docker", path=caller.get("PATH")) or "docker",
            environment={**passed, "DOCKER_CONFIG": own},
        )

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Compose:
        """From the JSON that `asdict` gave."""
        return cls(**{**content, "files": tuple(content["files"])})

    def as_json(self) -> dict[str, Any]:
        """What `of` reads."""
        return {**asdict(self), "files": list(self.files)}

    def check(self) -> str:
        """What Docker there is, in words.

        Raises MissingError when there is no program, no engine that answers, or no Compose.
        """
        if shutil.which(self.docker) is None:
            raise MissingError(
                "there is no `docker` on PATH", hint="Install Docker Engine and its Compose plugin."
            )
        engine = self._ask(
            ("info", "--format", "{{.ServerVersion}}"),
            "no Docker engine answers",
            "Start the engine, and see that `docker info` works for your user.",
        )
        plugin = self._ask(
            ("compose", "version"),
            "this `docker` has no Compose plugin",
            "Install it (package docker-compose-v2 or docker-compose-plugin).",
        )
        return f"{self.docker}, engine {engine}, {plugin}"

    def _ask(self, arguments: tuple[str, ...], refusal: str, hint: str) -> str:
        try:
            done = subprocess.run(
                [self.docker, *arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_ANSWER_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MissingError(f"{refusal} within {_ANSWER_SECONDS} s", hint=hint) from None
        except OSError as error:
            raise MissingError(f"{self.docker} can't be run: {error.strerror}", hint=hint) from None
        if done.returncode != 0 or not done.stdout.strip():
            said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[0]
            raise MissingError(f"{refusal} ({said})", hint=hint)
        return done.stdout.strip()


class Project:
    """The compose project of one local cloud, as its configuration file describes it."""

    def __init__(self, layout: Layout, content: Mapping[str, Any], mark: str = "") -> None:
        """`content`: kestra.json, with `compose`. `mark`: the local cloud's, for its processes."""
        self._layout = layout
        self._content = content
        self._mark = mark
        self.compose = Compose.of(content["compose"])

    def write(self, ports: Mapping[str, int]) -> None:
        """Write the file of variables and the files of secrets, as they are to be now."""
        folder = self._layout.compose_secrets
        for path in (self._layout.compose, folder):
            path.mkdir(mode=0o700, exist_ok=True)
        wanted = {**self._content["secrets"], "KESTRA_PASSWORD": self._content["password"]}
        for name, value in wanted.items():
            if not re.fullmatch(r"\w+", name, re.ASCII):
                raise CloudError(f"the secret {name!r} can't be given to a container by that name")
            write_private(folder / name, value)
        for path in folder.iterdir():
            if path.name not in (*wanted, _DATABASE_SECRET):
                path.unlink()
        if not (folder / _DATABASE_SECRET).exists():  # it goes with the database's volume
            write_private(folder / _DATABASE_SECRET, secrets.token_urlsafe(32))
        lines = [f"{name}={_quoted(text)}\n" for name, text in self._variables(ports).items()]
        write_private(self._layout.compose_variables, "".join(lines))

    def _variables(self, ports: Mapping[str, int]) -> dict[str, str]:
        return {
            **self._content["variables"],
            "KESTRA_USER": self._content["user"],
            "SECRETS": str(self._layout.compose_secrets),
            "KESTRA_BIND": HOST,
            "KESTRA_PORT": str(ports["kestra"]),
            "RELAY_PORTS": " ".join(str(ports[name]) for name in _RELAYED),
        }

    def environment(self) -> dict[str, str]:
        """What Docker's client gets; compose files read the environment before their own file."""
        passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return {
            **passed,
            **self.compose.environment,
            "HOME": str(self._layout.home),
            "BUILDX_CONFIG": str(self._layout.home / "buildx"),  # its notes, else in DOCKER_CONFIG
            **({processes.MARK: self._mark} if self._mark else {}),
        }

    def command(self, *arguments: str) -> list[str]:
        """One `docker compose` command on this project."""
        files = [f"--file={file}" for file in self.compose.files]
        return [
            *(self.compose.docker, "compose", "--ansi=never"),
            f"--project-name={self.compose.project}",
            *files,
            f"--env-file={self._layout.compose_variables}",
            *arguments,
        ]

    def up(self) -> list[str]:
        """What the supervisor owns. Images are there by then: `create` got them."""
        return self.command("up", "--no-build", "--remove-orphans", "--abort-on-container-exit")

    def create(self, *, build: bool) -> None:
        """Get the images and make the containers, without starting them.

        `build`: bring our own image up to date first; otherwise only when it is not there. May
        take minutes the first time. Raises PartError with Docker's last words.
        """
        if not build and self._run("create", "--no-build", "--remove-orphans") == 0:
            return
        code = self._run("create", "--build", "--remove-orphans")
        if code != 0:
            raise PartError(
                "kestra",
                f"its containers can't be made (docker compose create ended with {code})",
                log=self._said(),
                hint=f"The whole log: {self._log}",
            )

    def down(self, *, volumes: bool = False) -> None:
        """Take the containers and their network away, with `volumes` their data too.

        Nothing happens when nothing is there. Raises StopError with Docker's last words.
        """
        code = self._run("down", "--remove-orphans", *(["--volumes"] if volumes else []))
        if code != 0:
            raise StopError(
                f"Docker did not take the containers of {self.compose.project} away "
                f"(docker compose down ended with {code}):\n{self._said()}",
                hint="Start Docker's engine, then try again; or later by hand: "
                f"docker compose -p {self.compose.project} down"
                + (" --volumes" if volumes else ""),
            )

    @property
    def _log(self) -> Path:
        return self._layout.log("compose")

    def _run(self, *arguments: str) -> int:
        with self._log.open("wb") as log:
            try:
                return subprocess.run(
                    self.command(*arguments),
                    cwd=self._layout.home,
                    env=self.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=_DOWN_SECONDS if arguments[0] == "down" else None,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                log.write(f"no end within {_DOWN_SECONDS} s\n".encode())
            except OSError as error:
                log.write(f"{self.compose.docker} can't be run: {error.strerror}\n".encode())
        return 127

    def _said(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(line.rstrip() for line in lines[-_TAIL:])


def project_of(layout: Layout, mark: str = "") -> Project | None:
    """The project that the Kestra instance runs as; None: the embedded engine, or no instance."""
    try:
        content = json.loads(layout.kestra_config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Project(layout, content, mark) if "compose" in content else None


def _quoted(text: str) -> str:
    """A value as a file of variables takes it literally."""
    if "'" in text or "\n" in text or "\\" in text:
        raise CloudError(
            f"{text!r} has a quote, a backslash or a line break in it, which Docker Compose's file "
            "of variables can't carry"
        )
    return f"'{text}'"
