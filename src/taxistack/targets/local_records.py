"""What the provider stand-in holds of a stack, read without asking it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from localcloud import LocalCloud
from localcloud.google.store import Store
from taxistack.errors import MissingError, UsageError
from taxistack.settings import Settings


def refuse_another_stack(cloud: LocalCloud, settings: Settings) -> None:
    """One local cloud holds one stack, and `down` takes it away as a whole.

    Raises UsageError when it is another one than the settings name, MissingError when what is
    there can't be read.
    """
    for resource in _recorded(cloud, "google_storage_bucket", "google_bigquery_dataset"):
        here = {"name": resource["effective_labels"].get("stack"), "project": resource["project"]}
        for setting, value in here.items():
            if value not in (None, asked := getattr(settings, setting)):
                raise UsageError(
                    f"setting {setting}: the local cloud in {settings.state} holds the "
                    f"stack of {setting} {value}, not {asked}",
                    hint="A second stack on this machine needs a folder of its own (setting "
                    "`state`).",
                )


def _recorded(cloud: LocalCloud, *kinds: str) -> Iterator[dict[str, Any]]:
    # What the provider stand-in holds of these types, whether or not it runs.
    path = cloud.layout.data("google") / "objects.db"
    try:
        if not path.exists():
            return
        store = Store(path)
        for kind in kinds:
            yield from (found for id_ in store.ids(kind) if (found := store.get(kind, id_)))
    except sqlite3.OperationalError as error:
        raise MissingError(
            f"what the local cloud holds can't be read: {path}: {error}",
            hint="Is the disk full, or read-only? `invoke stop` and `invoke down` need no free "
            "space.",
        ) from None
