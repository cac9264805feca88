"""Whatever a month is like, reconcile and verify say the same of it, and repair converges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_etl.compare import Evidence, TableMonth, compare
from taxi_etl.facts import Facts
from taxi_etl.lake import LakeObject
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxistack.backfill.state import Cell, SourceFile, state_of
from taxistack.verify.compare import Known
from taxistack.verify.verification import CellCheck, check_all

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CELL = Cell("green", Month(2020, 10), "postgres")
URL = "http://site/green/green_tripdata_2020-10.csv.gz"


@dataclass(frozen=True)
class File:
    """An edition of the month file: everything that follows from its bytes."""

    edition: int

    @property
    def facts(self) -> Facts:
        return Facts(
            "green_tripdata_2020-10.csv.gz", URL, f'"{self.edition}"', "", 1000 + self.edition,
            5000, f"{self.edition:02d}" * 32, f"crc{self.edition}", 100 + self.edition,
            Decimal(self.edition) / 8, "lake", "gs://lake/raw/green/x", 1,
        )  # fmt: skip

    @property
    def table(self) -> TableMonth:
        facts = self.facts
        return TableMonth(facts.rows, facts.total_amount, facts.rows, 7, null_pickups=self.edition)

    def stored(self, generation: int) -> LakeObject:
        facts = self.facts
        return LakeObject("lake", "raw/green/x", facts.source_bytes, facts.crc32c, generation)


FILES = st.sampled_from([File(0), File(1), File(2)])


@dataclass(frozen=True)
class World:
    """All that can be of one month: what is published, stored, noted and held."""

    published: File | None
    problem: str | None
    etag: str
    looked: bool
    loaded: File | None
    lake: LakeObject | None
    table: TableMonth | None

    def source(self) -> SourceFile:
        if self.problem:
            return SourceFile("green", CELL.month, URL, None, problem=self.problem)
        if self.published is None:
            return SourceFile("green", CELL.month, URL, False)
        facts = self.published.facts
        seen = facts.sha256 if self.looked else None
        return SourceFile(
            "green", CELL.month, URL, True, facts.source_bytes, self.etag, sha256=seen
        )

    def entry(self) -> Entry | None:
        if self.loaded is None:
            return None
        entry = Entry.new("green", CELL.month, self.loaded.facts, "job", "exec", NOW)
        return replace(entry, loaded_at=NOW)

    def check(self) -> CellCheck:
        """As verify looks at it."""
        state = state_of(CELL, load=self.entry(), runs=[], source=self.source(), now=NOW)
        (found,) = check_all([Known(state, self.table, self.lake)])
        return found

    def reconciled(self) -> list:
        """As reconcile looks at it, right after the load."""
        source = self.source()
        return compare(
            Evidence(
                facts=self.loaded.facts if self.loaded else None,
                ledger=self.entry(),
                table=self.table,
                lake=self.lake,
                source=source.remote,
                source_url=URL,
                source_problem=source.problem,
            )
        )

    def repaired(self) -> World:
        """After the month was loaded again, with the source as it is."""
        if self.published is None or self.problem:
            return self
        one = self.published
        return replace(self, loaded=one, lake=one.stored(9), table=one.table, etag=one.facts.etag)


TABLES = st.one_of(
    st.none(),
    FILES.map(lambda file: file.table),
    st.builds(
        TableMonth,
        st.integers(0, 103),
        st.sampled_from([Decimal(0), Decimal("0.125")]),
        st.integers(0, 103),
    ),
)
LAKES = st.one_of(st.none(), st.builds(File.stored, FILES, st.integers(1, 3)))
WORLDS = st.builds(
    World,
    st.one_of(st.none(), FILES),
    st.sampled_from([None, None, None, "http://site: refused"]),
    st.sampled_from(['"0"', 'W/"0"', '"1"', ""]),
    st.booleans(),
    st.one_of(st.none(), FILES),
    LAKES,
    TABLES,
)


@given(WORLDS)
@settings(max_examples=400)
def test_reconcile_and_verify_agree_on_every_month(world):
    check = world.check()
    told = [str(one) for one in check.differences if one.check != "state"]
    if world.loaded is None and world.table is None:
        assert told == []
    else:
        assert told == [str(one) for one in world.reconciled()]
    assert check.proven == (world.loaded is not None and not world.reconciled())


@given(WORLDS)
@settings(max_examples=400)
def test_repair_converges_or_says_why_not(world):
    before = world.check()
    loadable = world.published is not None and not world.problem
    assert before.mendable == (loadable and not before.proven)
    after = world.repaired().check() if before.mendable else before
    if loadable:
        assert after.proven
    else:
        # Nothing to load from: what is left says so.
        assert not after.proven
        told = " ".join(map(str, after.differences)) + str(after.known.state.reason)
        assert world.loaded is None or "could not be asked" in told or "does not exist" in told
