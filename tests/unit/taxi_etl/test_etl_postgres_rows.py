"""COPY's binary form of rows: put together many at a time or one by one, they are the same."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_etl import columns, row_ids, sample
from taxi_etl.destinations import postgres_rows
from taxi_etl.fields import RULES
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Column, Kind, Taxi

KINDS = (Kind.TEXT, Kind.TIME, Kind.WHOLE, Kind.NUMBER, Kind.TIME, Kind.CODE)
TAXI = Taxi("all", tuple(Column(f"c{n}", k) for n, k in enumerate(KINDS)), "c1", "c3", ("c0",))
WHOLES = st.integers(-(2**31), 2**31 - 1).map(str)
FIELDS = {
    Kind.TEXT: st.text(
        st.characters(min_codepoint=35, exclude_categories=["C", "Z"], exclude_characters=","),
        max_size=10,
    ),
    Kind.TIME: st.datetimes().map(str),
    Kind.NUMBER: st.decimals(-(10**6), 10**6, places=3).map("{:f}".format)
    | st.text("0123456789.-", max_size=9),
    Kind.WHOLE: WHOLES,
    Kind.CODE: WHOLES,
}
PLAIN_ROWS = st.lists(
    st.tuples(
        *(
            st.just("") | FIELDS[k].filter(lambda t, k=k: not t or RULES[k].allows(t.encode()))
            for k in KINDS
        )
    ),
    min_size=1,
    max_size=8,
)


def streamed(block, taxi, worth, folder):
    with pytest.MonkeyPatch.context() as patch, row_ids.of_file("f", folder) as ids:
        patch.setattr(columns, "worth", lambda rows: rows >= worth)
        return b"".join(postgres_rows.stream([block], taxi, ids))


def rows_of(data):
    """The rows of the binary form: tuples of the fields' bytes, None for null."""
    assert data.startswith(b"PGCOPY\n\xff\r\n\0" + bytes(8))
    assert data.endswith(b"\xff\xff")
    place, found = 19, []
    while (count := struct.unpack_from(">h", data, place)[0]) != -1:
        place += 2
        row = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", data, place)
            place += 4
            row.append(None if length < 0 else data[place : place + length])
            place += max(length, 0)
        found.append(tuple(row))
    assert place == len(data) - 2
    return found


def sorted_rows(data):
    return sorted(rows_of(data), key=lambda row: row[0])


@given(month=PLAIN_ROWS)
def test_both_ways_make_the_same_rows(tmp_path_factory, month):
    block = "".join(",".join(row) + "\n" for row in month).encode()
    folder = tmp_path_factory.getbasetemp()
    many, one = (streamed(block, TAXI, worth, folder) for worth in (1, 10**9))
    assert sorted_rows(many) == sorted_rows(one)
    assert len(rows_of(one)) == len(month)


@pytest.mark.parametrize("taxi", TAXIS.values(), ids=str)
def test_the_rows_of_a_month_are_the_same_both_ways(taxi, tmp_path):
    _, rows = b"".join(sample.text(taxi, Month(2019, 1), 3_000)).split(b"\n", 1)
    many, one = (streamed(rows, taxi, worth, tmp_path) for worth in (1, 10**9))
    assert sorted_rows(many) == sorted_rows(one)


def test_each_kind_of_field_is_written_as_the_manual_says(tmp_path):
    line = b"a,2000-01-02 00:00:01.5,-7,1.25,1999-12-31 23:59:59,\n"
    ((one, *fields),) = rows_of(streamed(line, TAXI, 10**9, tmp_path))
    assert [column.kind for column in TAXI.columns] == [
        Kind.TEXT, Kind.TIME, Kind.WHOLE, Kind.NUMBER, Kind.TIME, Kind.CODE,
    ]  # fmt: skip
    assert len(one) == 32
    assert fields == [
        b"a",
        struct.pack(">q", 86_401_500_000),
        struct.pack(">i", -7),
        struct.pack(">d", 1.25),
        struct.pack(">q", -1_000_000),
        None,
    ]
