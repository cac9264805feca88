"""What the cloud holds: one row an object, in SQLite.

Several Terraform runs may ask at once, each call in a thread of its own: every operation is one
transaction on a connection of its own, and an id is taken once.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from localcloud.google.errors import AlreadyExists
from localcloud.google.types import Object

_WAIT = 20.0  # seconds that a writer waits for another


class Store:
    """The objects of all types, by type and id. No secret is ever given to it."""

    def __init__(self, path: Path) -> None:
        """`path`: the database file, made with its folder when missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS objects"
                " (type TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (type, id))"
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=_WAIT)
        try:
            with db:
                yield db
        finally:
            db.close()

    def get(self, kind: str, object_id: str) -> Object | None:
        """The object, or None."""
        with self._open() as db:
            row = db.execute(
                "SELECT body FROM objects WHERE type = ? AND id = ?", (kind, object_id)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def add(self, kind: str, object_id: str, obj: Object) -> None:
        """Keep a new object. Raises AlreadyExists when the id is taken."""
        try:
            with self._open() as db:
                db.execute(
                    "INSERT INTO objects VALUES (?, ?, ?)", (kind, object_id, json.dumps(obj))
                )
        except sqlite3.IntegrityError:
            raise AlreadyExists(object_id) from None

    def put(self, kind: str, object_id: str, obj: Object) -> None:
        """Keep an object, new or not."""
        with self._open() as db:
            db.execute(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?)",
                (kind, object_id, json.dumps(obj)),
            )

    def remove(self, kind: str, object_id: str) -> None:
        """Forget an object; nothing happens when it is not there."""
        with self._open() as db:
            db.execute("DELETE FROM objects WHERE type = ? AND id = ?", (kind, object_id))

    def ids(self, kind: str) -> list[str]:
        """The ids of all objects of a type."""
        with self._open() as db:
            rows = db.execute("SELECT id FROM objects WHERE type = ? ORDER BY id", (kind,))
            return [row[0] for row in rows]
