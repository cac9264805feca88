"""Do source, lake, ledger and table say the same of a month? Pure: it asks nobody.

`reconcile` uses it for the month just loaded, with extract's facts; the kit's `verify` for any
month, with the ledger alone as the measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taxi_etl.download import Remote
    from taxi_etl.facts import Facts
    from taxi_etl.lake import LakeObject
    from taxi_etl.ledger import Entry

SOURCE, LAKE, LEDGER, TABLE = "source", "lake", "ledger", "table"


@dataclass(frozen=True)
class TableMonth:
    """What a table says of one month; zeros for a month of which it has no row.

    `strays` are pickups outside the month, `null_pickups` rows without one: both are counted,
    and neither is a fault, because the source has them too.
    """

    rows: int = 0
    total_amount: Decimal = Decimal(0)
    distinct_ids: int = 0
    null_pickups: int = 0
    strays: int = 0


@dataclass(frozen=True)
class Evidence:
    """What was found of one month; None where there is nothing.

    A part that is not in `asked` was not looked at and is not compared. `facts` are extract's,
    None when only the ledger is there to compare with.
    """

    facts: Facts | None = None
    ledger: Entry | None = None
    table: TableMonth | None = None
    lake: LakeObject | None = None
    source: Remote | None = None
    asked: frozenset[str] = frozenset({SOURCE, LAKE, LEDGER, TABLE})


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be: where, what, and both values as text."""

    where: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        """One clause of a sentence."""
        return f"{self.where}: {self.what} is {self.found}, not {self.expected}"


def compare(evidence: Evidence) -> list[Difference]:
    """Every difference, in the order source, lake, ledger, table. Empty: the month is proven."""
    measure = evidence.facts or evidence.ledger
    if measure is None:
        return [Difference(LEDGER, "the row", "there", "missing")]
    found = [
        *(_source(evidence, measure) if SOURCE in evidence.asked else ()),
        *(_lake(evidence, measure) if LAKE in evidence.asked else ()),
        *(_ledger(evidence) if LEDGER in evidence.asked else ()),
        *(_table(evidence, measure) if TABLE in evidence.asked else ()),
    ]
    return [one for one in found if one.expected != one.found]


def _source(evidence: Evidence, measure: Facts | Entry) -> Iterator[Difference]:
    remote = evidence.source
    if remote is None:
        yield Difference(SOURCE, "the file", "there", "no longer published")
        return
    if remote.length is not None:
        yield _of(SOURCE, "length", measure.source_bytes, remote.length)
    if remote.etag and measure.etag:
        yield _of(SOURCE, "ETag", measure.etag, remote.etag)


def _lake(evidence: Evidence, measure: Facts | Entry) -> Iterator[Difference]:
    stored = evidence.lake
    if stored is None:
        yield Difference(LAKE, measure.object, "there", "missing")
        return
    yield _of(LAKE, "size", measure.source_bytes, stored.size)
    yield _of(LAKE, "crc32c", measure.crc32c, stored.crc32c)
    yield _of(LAKE, "generation", measure.generation, stored.generation)


def _ledger(evidence: Evidence) -> Iterator[Difference]:
    entry, facts = evidence.ledger, evidence.facts
    if entry is None:
        yield Difference(LEDGER, "the row", "there", "missing")
    elif facts is not None:
        yield _of(LEDGER, "sha256", facts.sha256, entry.sha256)
        yield _of(LEDGER, "crc32c", facts.crc32c, entry.crc32c)
        yield _of(LEDGER, "generation", facts.generation, entry.generation)
        yield _of(LEDGER, "source_bytes", facts.source_bytes, entry.source_bytes)
        yield _of(LEDGER, "csv_bytes", facts.csv_bytes, entry.csv_bytes)
        yield _of(LEDGER, "rows", facts.rows, entry.rows)
        yield _of(LEDGER, "total_amount", facts.total_amount, entry.total_amount)


def _table(evidence: Evidence, measure: Facts | Entry) -> Iterator[Difference]:
    table = evidence.table or TableMonth()
    yield _of(TABLE, "rows", measure.rows, table.rows)
    yield _of(TABLE, "total_amount", measure.total_amount, table.total_amount)
    yield _of(TABLE, "number of distinct unique_row_id", table.rows, table.distinct_ids)


def _of(where: str, what: str, expected: object, found: object) -> Difference:
    return Difference(where, what, _text(expected), _text(found))


def _text(value: object) -> str:
    """Equal values have equal text: 2.50 and 2.5 are one amount."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
