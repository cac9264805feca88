"""One backup's record: `backup.json`, written last, so that a backup without one is none."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from taxistack.backups.contents import Contents
from taxistack.errors import FailedError

RECORD = "backup.json"
FORMAT = 1


@dataclass(frozen=True)
class Backup:
    """What was kept, of which stack, and what it held. Nothing in it is secret."""

    name: str
    """`YYYYMMDD-HHMMSS`, UTC: sorts by age."""
    stack: str
    target: str
    project: str
    kestra: str
    """Version of the server whose database it is: an older one can't read it."""
    contents: Contents

    def as_text(self) -> str:
        """The record as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, text: str, path: str) -> Backup:
        """Read a record. Raises FailedError for one that is not whole."""
        try:
            record: dict[str, Any] = json.loads(text)
            if record.pop("format") != FORMAT:
                raise FailedError(f"{path} was written by a newer taxistack")
            return cls(**{**record, "contents": Contents.of_json(record["contents"])})
        except (ValueError, KeyError, TypeError) as error:
            raise FailedError(f"{path} is no backup's record: {error!r}") from error

    @property
    def made(self) -> datetime:
        """When it was begun."""
        return datetime.strptime(self.name, "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


def new_name(now: datetime) -> str:
    """The name of a backup that is begun now."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}"
