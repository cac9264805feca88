"""What extract found out about a month file: handed to load and reconcile, and to Kestra."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from taxi_etl.errors import WrongUse

_OBJECT = re.compile(r"gs://([^/]+)/(.+)")


@dataclass(frozen=True)
class Facts:
    """One published month file, as it was downloaded and as it lies in the lake.

    `source_bytes` is the length of the .csv.gz, `csv_bytes` that of the text in it;
    `sha256` (hex) and `crc32c` (base64, as Cloud Storage writes it) are of the .csv.gz.
    """

    filename: str
    url: str
    etag: str
    last_modified: str
    source_bytes: int
    csv_bytes: int
    sha256: str
    crc32c: str
    rows: int
    total_amount: Decimal
    bucket: str
    object: str
    generation: int

    @property
    def object_name(self) -> str:
        """The object's name inside its bucket."""
        return _OBJECT.fullmatch(self.object).group(2)  # type: ignore[union-attr]

    def to_json(self) -> dict[str, str | int | bool]:
        """The facts as extract's outputs: amounts and generations as text, exact."""
        values = asdict(self)
        values["total_amount"] = str(self.total_amount)
        values["generation"] = str(self.generation)
        return {"published": True, **values}


def from_json(values: object) -> Facts | None:
    """The facts out of their JSON form, None when it says "not published".

    Numbers may stand as text, because an orchestrator's templates make text of everything.
    Raises WrongUse when something is missing or has another type.
    """
    if not isinstance(values, dict) or "published" not in values:
        raise WrongUse("the facts are not the outputs of extract: 'published' is missing")
    if str(values["published"]).lower() != "true":
        return None
    missing = [field.name for field in fields(Facts) if field.name not in values]
    if missing:
        raise WrongUse(f"the facts lack {', '.join(missing)}: run extract again")
    try:
        typed: dict[str, Any] = {  # each value has its own field's type
            field.name: _typed(field.type, values[field.name]) for field in fields(Facts)
        }
        facts = Facts(**typed)
    except (ValueError, InvalidOperation) as error:
        raise WrongUse(f"the facts hold a value of the wrong type: {error}") from error
    if not _OBJECT.fullmatch(facts.object):
        raise WrongUse(f"the facts name the object {facts.object!r}: it must begin with gs://")
    return facts


def _typed(kind: object, value: object) -> str | int | Decimal:
    text = "" if value is None else str(value)
    if kind == "int":
        return int(text)
    return Decimal(text) if kind == "Decimal" else text


def read(path: Path | None) -> Facts | None:
    """The facts from a file, else from the environment variable TAXI_FACTS.

    Returns None when the month is not published. Raises WrongUse when there are no facts.
    """
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise WrongUse(f"cannot read the facts: {error}") from error
    else:
        text = os.environ.get("TAXI_FACTS", "")
        if not text:
            raise WrongUse("no facts: give --facts FILE, or the JSON in TAXI_FACTS")
    try:
        return from_json(json.loads(text))
    except json.JSONDecodeError as error:
        raise WrongUse(f"the facts are not JSON: {error}") from error


def write(path: Path, values: Mapping[str, object]) -> None:
    """Write the facts whole or not at all, so that a reader never sees half of them."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
