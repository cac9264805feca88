"""What the local cloud tells the engine's launcher: the fields of kestra.json."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.errors import CloudError

_BODY_LIMIT = 1 << 30  # bytes; larger than any month of the releases
_REQUEST_SECONDS = 60  # to send a request, its body included; all of it comes from this machine
_SILENCE_SECONDS = 60  # a busy machine answers late, but not that late
_WORKERS = 16  # task threads; a thread mostly waits for its process


@dataclass(frozen=True)
class Config:
    """One engine. Holds secrets: never print it."""

    path_of_config: Path
    host: str
    port: int
    controller_port: int
    data: Path
    user: str
    password: str = field(repr=False)
    cache: Path
    path: str
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    body_limit: int = _BODY_LIMIT
    request_seconds: int = _REQUEST_SECONDS
    silence_seconds: float = _SILENCE_SECONDS
    workers: int = _WORKERS

    @classmethod
    def load(cls, path: Path) -> Config:
        """Read the file. Raises CloudError when it is not there or not whole."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                path_of_config=path,
                host=content["host"],
                port=int(content["port"]),
                controller_port=int(content["controller_port"]),
                data=Path(content["data"]),
                user=content["user"],
                password=content["password"],
                cache=Path(content["cache"]),
                path=content.get("path") or os.environ.get("PATH", os.defpath),
                secrets=content.get("secrets", {}),
                environment=content.get("environment", {}),
                body_limit=int(content.get("body_limit", _BODY_LIMIT)),
                request_seconds=int(content.get("request_seconds", _REQUEST_SECONDS)),
                silence_seconds=float(content.get("silence_seconds", _SILENCE_SECONDS)),
                workers=int(content.get("workers", _WORKERS)),
            )
        except (OSError, ValueError) as error:
            raise CloudError(f"the engine's configuration {path} can't be read: {error}") from error
        except KeyError as error:
            raise CloudError(f"the engine's configuration {path} has no {error}") from error

    def settings(self) -> str:
        """What the JVM reads from its standard input, as JSON."""
        return json.dumps(
            {
                "host": self.host,
                "port": self.port,
                "controllerPort": self.controller_port,
                "data": str(self.data.resolve()),
                "user": self.user,
                "password": self.password,
                "encryptionKey": _encryption_key(self.path_of_config),
                "bodyLimit": self.body_limit,
                "requestSeconds": self.request_seconds,
                "workers": self.workers,
            }
        )

    def jvm_environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The engine's environment; its tasks get it without the secrets."""
        return {
            **inherited,
            **self.environment,
            "PATH": self.path,
            **{
                f"SECRET_{name.upper()}": base64.b64encode(value.encode()).decode()
                for name, value in self.secrets.items()
            },
        }


def _encryption_key(config: Path) -> str:
    """The key of inputs of type SECRET: made once, kept beside the configuration."""
    path = config.with_name("kestra-encryption.key")
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key)
        return key
