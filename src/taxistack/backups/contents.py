"""What a stack holds that a backup must bring back, in figures that can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from taxi_etl.month import EVER
from taxi_etl.schema import TAXIS
from taxistack.backfill import ledger
from taxistack.backfill.context import BackfillContext
from taxistack.deploy import NOTES
from taxistack.verify import tables

DESTINATION = "postgres"
"""The destination that a backup holds; BigQuery's tables are loaded again."""
_PAGE = 500


@dataclass(frozen=True)
class Contents:
    """Figures of executions, ledger and tables; equal contents have equal ones."""

    executions: int
    executions_sha256: str
    """Over the lines `id flow state`, sorted."""
    pairs_sha256: Mapping[str, str]
    """KV pair of the flows' namespace to the SHA-256 of its value; endpoints are left out, and what
    the watch of the schedules notes for itself."""
    ledger: int
    ledger_sha256: str
    """Over the current rows, sorted."""
    months: Mapping[str, str] = field(default_factory=dict)
    """`<taxi> <month>` to rows, sum of total_amount and fingerprint of the table."""

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> Contents:
        """What `vars` of one gave; notes of the watch, which older records hold, are left out."""
        pairs = record["pairs_sha256"].items()
        kept = {key: digest for key, digest in pairs if not key.startswith(NOTES)}
        values = {name: record[name] for name in cls.__dataclass_fields__}
        return cls(**{**values, "pairs_sha256": kept})

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(int(figures.split()[0]) for figures in self.months.values())

    def differences(self, other: Contents) -> list[str]:
        """In words, what `other` holds differently; empty when both are equal."""
        lines = []
        for name, here, there in (
            ("executions", self.executions, other.executions),
            ("ledger rows", self.ledger, other.ledger),
        ):
            if here != there:
                lines.append(f"{name}: {here} in the backup, {there} now")
        if not lines and self.executions_sha256 != other.executions_sha256:
            lines.append("executions: as many, but others or in other states")
        if not lines and self.ledger_sha256 != other.ledger_sha256:
            lines.append("ledger: as many rows, but others")
        for what, mine, yours in (
            ("KV pair", self.pairs_sha256, other.pairs_sha256),
            ("table", self.months, other.months),
        ):
            for key in sorted({*mine, *yours}):
                if mine.get(key) != yours.get(key):
                    kept, held = mine.get(key) or "nothing", yours.get(key) or "nothing"
                    said = f": {kept} in the backup, {held} now" if what == "table" else ""
                    lines.append(f"{what} {key}{said or ' differs'}")
        return lines


def contents_of(
    context: BackfillContext, namespace: str, passing: Iterable[str], until: datetime
) -> Contents:
    """Read them all. `passing`: KV pairs that say where a stack's servers are.

    `until`: executions that began later are left out. A server that was put back runs at once what
    its schedules have missed since the backup; that is no difference.

    Raises FailedError when Kestra or PostgreSQL does not answer.
    """
    client = context.kestra()
    runs = [
        f"{execution.id} {execution.namespace}.{execution.flow_id} {execution.state}"
        for execution in client.executions.search(page_size=_PAGE)
        if (began := execution.created or execution.start) is None or began <= until
    ]
    pairs = {
        key: _digest([str(client.kv.get(namespace, key))])
        for key in sorted(set(client.kv.list(namespace)) - set(passing))
        if not key.startswith(NOTES)
    }
    entries = ledger.read(context, DESTINATION, None, None)
    months = {
        f"{taxi} {month}": f"{table.rows} {table.total_amount} {table.fingerprint}"
        for taxi in TAXIS
        for month, table in tables.read(context, taxi, DESTINATION, *EVER).items()
    }
    return Contents(
        executions=len(runs),
        executions_sha256=_digest(runs),
        pairs_sha256=pairs,
        ledger=len(entries),
        ledger_sha256=_digest(str(entry.values()) for entry in entries.values()),
        months=months,
    )


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
