"""Do source, lake, ledger and table say the same of a month? Pure: it asks nobody.

`reconcile` uses it for the month just loaded, with extract's facts; the kit's `verify` for any
month, with the ledger alone as the measure. What the source has too (rows without a pickup time,
strays, duplicates) is no fault. Bytes decide where a mark is only a suspicion: another ETag or
length of the source, another generation of the lake's object.
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


@dataclass(frozen=True)
class TableMonth:
    """What a table says of one month; zeros for a month of which it has no row.

    `fingerprint` is the sum of the first 36 bits of every unique_row_id: equal sets of rows have
    equal ones whatever their order. `strays` are pickups outside the month, `null_pickups` rows
    without one, `null_block` rows of the null blocks, `negatives` negative measures;
    `duplicates` the rows beyond the first of each group of identical ones, None when not asked.
    """

    rows: int = 0
    total_amount: Decimal = Decimal(0)
    distinct_ids: int = 0
    fingerprint: int = 0
    null_pickups: int = 0
    strays: int = 0
    null_block: int = 0
    negatives: int = 0
    duplicates: int | None = None

    @classmethod
    def read(
        cls, rows: int, total: Decimal | None, ids: int, fingerprint: int | None, *rest: int | None
    ) -> TableMonth:
        """A row of a destination's query, whatever types its driver gives."""
        pickups, strays, block, negatives, duplicates = rest
        return cls(
            int(rows), Decimal(str(total or 0)), int(ids), int(fingerprint or 0), int(pickups or 0),
            int(strays or 0), int(block or 0), int(negatives or 0),
            None if duplicates is None else int(duplicates),
        )  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """What was found of one month; None where there is nothing.

    `facts` are extract's, None when only the ledger is there to compare with. `source_url` is
    the address that was asked, None when none was; `source_problem` says why it gave no answer.
    `published_rows` is the count that is known of the source's release.
    """

    facts: Facts | None = None
    ledger: Entry | None = None
    table: TableMonth | None = None
    lake: LakeObject | None = None
    source: Remote | None = None
    source_url: str | None = None
    source_problem: str | None = None
    published_rows: int | None = None


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be. `check`: which one; `detail`: in words.

    `mendable`: whether loading the month again can mend it.
    """

    check: str
    detail: str
    mendable: bool = True

    def __str__(self) -> str:
        """Check and detail in one line."""
        return f"{self.check}: {self.detail}"


def amount(value: Decimal) -> str:
    """An amount with two decimals or more, never rounded."""
    text = f"{value.normalize():f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def compare(evidence: Evidence) -> list[Difference]:
    """Every difference, in the order source, lake, ledger, table. Empty: the month is proven."""
    measure = evidence.facts or evidence.ledger
    if measure is None:
        held = evidence.table.rows if evidence.table else 0
        rows = f", but the table has {held:,} rows of this month" if held else " of this month"
        return [Difference("ledger", f"has no row{rows}")]
    return [
        *_source(evidence, measure),
        *_lake(evidence, measure),
        *_ledger(evidence),
        *_table(evidence.table or TableMonth(), measure),
        *_published(evidence, measure),
    ]


def suspicion(measure: Facts | Entry, remote: Remote) -> str | None:
    """Why the source's file may be another one than was loaded; None when nothing says so.

    Once its bytes were looked at (`remote.sha256`), they alone decide.
    """
    if remote.sha256:
        if remote.sha256 == measure.sha256:
            return None
        return f"the source has other bytes (SHA-256 {remote.sha256[:12]}…) than were loaded"
    if remote.length is not None and remote.length != measure.source_bytes:
        return f"the source has {remote.length:,} bytes, {measure.source_bytes:,} were loaded"
    if remote.etag and measure.etag and _bare(remote.etag) != _bare(measure.etag):
        return f"the source's ETag is {remote.etag}, {measure.etag} was loaded"
    return None


def _bare(etag: str) -> str:
    # A proxy that compresses marks the same tag as weak.
    return etag.removeprefix("W/").strip('"')


def absence(loaded_from: str, url: str) -> str:
    """In words, that the source does not have the file of a loaded month.

    Either the file was taken away, or the month came from another source than the present one.
    """
    if loaded_from != url:
        return f"was loaded from {loaded_from}; {url} does not exist"
    return f"{url} does not exist any more"


def _source(evidence: Evidence, measure: Facts | Entry) -> Iterator[Difference]:
    """A source that can't be looked at proves nothing; loading again would not help."""
    url = evidence.source_url
    if url is None:
        return
    if evidence.source_problem:
        yield Difference("source", f"could not be asked: {evidence.source_problem}", mendable=False)
    elif evidence.source is None:
        yield Difference("source", absence(measure.url, url), mendable=False)
    elif why := suspicion(measure, evidence.source):
        yield Difference("source", why)


def _lake(evidence: Evidence, measure: Facts | Entry) -> Iterator[Difference]:
    stored = evidence.lake
    if stored is None:
        yield Difference("lake", f"the object {measure.object} is not there")
        return
    if stored.size != measure.source_bytes:
        yield Difference("lake", f"{stored.size:,} bytes, {measure.source_bytes:,} were loaded")
    if stored.crc32c != measure.crc32c:
        yield Difference("lake", f"CRC32C {stored.crc32c}, {measure.crc32c} was loaded")


_NOTED = ("sha256", "crc32c", "source_bytes", "csv_bytes", "rows", "total_amount")


def _ledger(evidence: Evidence) -> Iterator[Difference]:
    entry, facts = evidence.ledger, evidence.facts
    if entry is None:
        yield Difference("ledger", "has no row of this month")
    elif facts is not None:
        for name in _NOTED:
            noted, extracted = getattr(entry, name), getattr(facts, name)
            if noted != extracted:
                yield Difference("ledger", f"{name} is {noted}, extract found {extracted}")


def _table(table: TableMonth, measure: Facts | Entry) -> Iterator[Difference]:
    if not table.rows and measure.rows:
        yield Difference("table", f"no row of this month, {measure.rows:,} were loaded")
        return
    if table.rows != measure.rows:
        gap = table.rows - measure.rows
        yield Difference("rows", f"{table.rows:,} in the table, {measure.rows:,} loaded ({gap:+,})")
    if table.total_amount != measure.total_amount:
        there, loaded = amount(table.total_amount), amount(measure.total_amount)
        yield Difference("total_amount", f"{there} in the table, {loaded} loaded")
    if table.distinct_ids != table.rows:
        detail = f"{table.distinct_ids:,} distinct ids in {table.rows:,} rows"
        yield Difference("unique_row_id", detail)


def _published(evidence: Evidence, measure: Facts | Entry) -> Iterator[Difference]:
    """The file that was loaded is the source's: the same one again has as many rows."""
    known = evidence.published_rows
    if known is not None and known != measure.rows:
        detail = f"{known:,} rows are published, {measure.rows:,} were loaded"
        yield Difference("published", detail, mendable=False)


def between(here: Evidence, other: Evidence, there: str) -> list[Difference]:
    """How a month differs from the same one in the destination that is called `there`.

    Only asked of months that are right by themselves: then it names what those checks can't see.
    """
    if not (here.table and other.table and here.ledger and other.ledger):
        return []
    if here.ledger.sha256 != other.ledger.sha256:
        return [Difference("destinations", f"{there} was loaded from another edition of the file")]
    if here.table.fingerprint != other.table.fingerprint:
        return [Difference("destinations", f"{there} has other unique_row_ids")]
    if here.table.total_amount != other.table.total_amount:
        return [Difference("destinations", f"{there} has another sum of total_amount")]
    return []
