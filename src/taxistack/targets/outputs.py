"""What Terraform says of a stack that is up, and how it is kept from one command to the next."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Known = TypeVar("Known")


@dataclass(frozen=True)
class Outputs:
    """What `infra/outputs.tf` says of a stack that is up. Nothing in it is secret."""

    bucket: str
    kestra_bucket: str
    dataset: str
    staging_dataset: str
    project: str
    zone: str
    location: str
    labels: dict[str, str]
    # None when only the data was kept (`down --keep-data`).
    instance: str | None = None
    secret_version: int = 1
    service_account: str | None = None


def known(path: Path, version: str, what: str, ask: Callable[[], Known]) -> Known:
    """The outputs of this version of the state; Terraform is asked once, `path` keeps them."""
    kept = _read_object(path)
    if kept.get("version") != version:
        kept = {"version": version}
    if what not in kept:
        kept[what] = ask()
        fresh = path.with_name(f"{path.stem}.{os.getpid()}.json")
        fresh.write_text(json.dumps(kept), encoding="utf-8")
        fresh.replace(path)
    answer: Known = kept[what]
    return answer


def _read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one when the file holds none."""
    try:
        outputs = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return outputs if isinstance(outputs, dict) else {}
