"""What has to be equal about a month, and how a difference is named. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from taxi_etl.lake import LakeObject
from taxistack.backfill.state import CellState, Load, State, absence
from taxistack.verify.tables import TableMonth


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


@dataclass(frozen=True)
class Known:
    """All that was read of one cell."""

    state: CellState
    table: TableMonth | None
    lake: LakeObject | None
    published_rows: int | None = None


def amount(value: Decimal) -> str:
    """An amount with two decimals or more, never rounded."""
    text = f"{value.normalize():f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def differences(known: Known) -> list[Difference]:
    """What is wrong with one cell, taken by itself."""
    found = list(_of_state(known))
    load = known.state.load
    if load is None:
        if known.table is not None:
            rows = f"{known.table.rows:,} rows of this month"
            found.append(Difference("ledger", f"has no row, but the table has {rows}"))
        return found
    if known.state.state is State.LOADING:
        return found
    return [*found, *_of_table(load, known), *_of_lake(load, known)]


def _of_state(known: Known) -> Iterable[Difference]:
    state, reason = known.state.state, known.state.reason
    told = f": {reason}" if reason else ""
    if state is State.LOADED:
        yield from _of_source(known.state)
    elif state is State.MISSING:
        yield Difference("state", f"not loaded{told}")
    elif state is State.LOADING:
        yield Difference("state", f"is being loaded, not compared{told}")
    elif state is State.FAILED:
        yield Difference("state", f"the last load failed{told}")
    elif state is State.STALE:
        yield Difference("source", reason or "changed since the load")


def _of_source(found: CellState) -> Iterable[Difference]:
    """A source that can't be looked at proves nothing; loading again would not help."""
    source = found.source
    if source is not None and source.problem:
        yield Difference("source", f"could not be asked: {source.problem}", mendable=False)
    elif found.load is not None and (gone := absence(found.load, source)):
        yield Difference("source", gone, mendable=False)


def _of_table(load: Load, known: Known) -> Iterable[Difference]:
    table = known.table
    if table is None:
        if load.rows:
            yield Difference("table", f"no row of this month, the ledger says {load.rows:,}")
        return
    if table.rows != load.rows:
        gap = table.rows - load.rows
        yield Difference("rows", f"{table.rows:,} in the table, {load.rows:,} loaded ({gap:+,})")
    if table.total_amount != load.total_amount:
        yield Difference(
            "total_amount",
            f"{amount(table.total_amount)} in the table, {amount(load.total_amount)} loaded",
        )
    if table.distinct_ids != table.rows:
        yield Difference(
            "unique_row_id", f"{table.distinct_ids:,} distinct ids in {table.rows:,} rows"
        )
    if table.null_pickups:
        yield Difference("pickup", f"{table.null_pickups:,} rows without a pickup time")
    if known.published_rows is not None and known.published_rows != load.rows:
        # The file that was loaded is the source's: the same one again has as many rows.
        yield Difference(
            "published",
            f"{known.published_rows:,} rows are published, {load.rows:,} were loaded",
            mendable=False,
        )


def _of_lake(load: Load, known: Known) -> Iterable[Difference]:
    lake = known.lake
    if lake is None:
        yield Difference("lake", f"the object {load.object} is not there")
        return
    if lake.size != load.source_bytes:
        yield Difference("lake", f"{lake.size:,} bytes, {load.source_bytes:,} were loaded")
    if lake.crc32c != load.crc32c:
        yield Difference("lake", f"CRC32C {lake.crc32c}, {load.crc32c} was loaded")


def between(one: Known, other: Known) -> list[Difference]:
    """How a cell differs from the same month in the other destination.

    Only asked of cells that are right by themselves: then it names what those checks can't see.
    """
    if not (one.table and other.table and one.state.load and other.state.load):
        return []
    there = other.state.cell.destination
    if one.state.load.sha256 != other.state.load.sha256:
        return [Difference("destinations", f"{there} was loaded from another edition of the file")]
    if one.table.fingerprint != other.table.fingerprint:
        return [Difference("destinations", f"{there} has other unique_row_ids")]
    if one.table.total_amount != other.table.total_amount:
        return [Difference("destinations", f"{there} has another sum of total_amount")]
    return []
