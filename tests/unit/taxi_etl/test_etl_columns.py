"""Reading by columns is reading by the rules: the same rows pass, with the same values."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_etl import columns, sample
from taxi_etl.columns import Columns
from taxi_etl.errors import BadFile
from taxi_etl.fields import RULES, SCALE
from taxi_etl.inspection import inspect
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Column, Kind, Taxi

KINDS = (Kind.TEXT, Kind.TIME, Kind.WHOLE, Kind.NUMBER, Kind.TIME, Kind.CODE)
TAXI = Taxi("all", tuple(Column(f"c{n}", k) for n, k in enumerate(KINDS)), "c1", "c3", ("c0",))
ROW_BY_ROW, BY_COLUMNS = 10**9, 1

PLAIN = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='",'), max_size=10
)
TIMES = st.datetimes(datetime(1999, 1, 1), datetime(2101, 1, 1)).map(str) | st.from_regex(
    "20[0-9]{2}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9]", fullmatch=True
)
NUMBERS = (
    st.decimals(-(10**6), 10**6, places=2).map("{:f}".format)
    | st.from_regex(r"-?[0-9]{0,9}\.?[0-9]{0,4}", fullmatch=True)
    | st.text("0123456789.-", max_size=9)
)
FIELDS = {
    Kind.TEXT: PLAIN,
    Kind.TIME: st.just("") | TIMES | PLAIN,
    Kind.NUMBER: st.just("") | NUMBERS | PLAIN,
    Kind.WHOLE: st.just("") | st.integers(-(10**9), 10**9).map(str) | PLAIN,
}
FIELDS[Kind.CODE] = FIELDS[Kind.WHOLE]
ROWS = st.lists(st.tuples(*(FIELDS[kind] for kind in KINDS)), min_size=1, max_size=6)


def of(rows, end="\n"):
    block = "".join(",".join(row) + end for row in rows).encode()
    return Columns.of(block, TAXI, end.encode())


@given(ROWS, st.sampled_from(["\n", "\r\n"]))
def test_what_is_not_odd_is_allowed_and_has_the_value_that_its_text_says(rows, end):
    found = of(rows, end)
    found.check()
    values = {
        Kind.TIME: lambda place: found.times(place).microseconds(),
        Kind.NUMBER: lambda place: found.numbers(place).floats(),
        Kind.WHOLE: found.wholes,
        Kind.CODE: found.wholes,
    }
    for place, kind in enumerate(KINDS):
        texts = [row[place] for row in rows]
        assert list(found.lengths(place)) == [len(text) for text in texts]
        if kind is Kind.TEXT:
            continue
        for text, value, odd in zip(texts, values[kind](place).tolist(), found.odd, strict=True):
            if text and not odd:
                assert RULES[kind].allows(text.encode()), text
                assert repr(value) == repr(by_definition(kind, text)), text


def by_definition(kind, text):
    if kind is Kind.TIME:
        gone = datetime.fromisoformat(text) - datetime(2000, 1, 1)
        return (gone.days * 86_400 + gone.seconds) * 10**6
    return float(text) if kind is Kind.NUMBER else int(text)


@given(ROWS)
def test_the_sum_of_what_is_not_odd_is_exact(rows):
    found = of(rows)
    found.check()
    usual = ~found.odd
    expected = sum(
        (Decimal(row[3] or 0) for row, plain in zip(rows, usual, strict=True) if plain), Decimal(0)
    )
    assert found.numbers(3).only(usual).total(SCALE) == int(expected * 10**SCALE)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.TIME, "2019-01-31 23:59:59"),
        (Kind.TIME, "2000-02-29 00:00:00"),
        (Kind.TIME, "2099-12-31 19:20:21"),
        (Kind.NUMBER, "-1234.56"),
        (Kind.NUMBER, ".79"),
        (Kind.NUMBER, "-.5"),
        (Kind.NUMBER, "12345678"),
        (Kind.NUMBER, "-0.00"),
        (Kind.WHOLE, "-1234567"),
        (Kind.WHOLE, ""),
    ],
)
def test_the_forms_of_the_real_files_are_not_odd(kind, text):
    place = KINDS.index(kind)
    row = ["x", "", "", "", "", ""]
    row[place] = text
    found = of([row])
    found.check()
    assert not found.odd.any()


@pytest.mark.parametrize(
    "block",
    [
        b'"x",,,,,\n',
        b"\xc3\xa9,,,,,\n",
        b"x,,,,\n,,,,,,\n",
        b"x,,,,,\r\n",
        b"x\0,,,,,\n",
        b"x\r,,,,,\n",
        b"x\x7f,,,,,\n",
        b"\n\n,,,,,,,,,,\n",
    ],
)
def test_a_block_that_is_not_plain_is_left_to_the_rules(block):
    assert Columns.of(block, TAXI, b"\n") is None


JANUARY = Month(2019, 1)


def outcome(path, monkeypatch, worth, taxi=TAXI, month=JANUARY):
    monkeypatch.setattr(columns, "worth", lambda rows: rows >= worth)
    try:
        return inspect(path, taxi, month)
    except BadFile as error:
        return str(error)


@given(rows=ROWS, end=st.sampled_from(["\n", "\r\n"]))
def test_a_file_is_told_the_same_of_both_ways(rows, end, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "both.csv.gz"
    text = end.join([TAXI.header, *map(",".join, rows), ""])
    path.write_bytes(gzip.compress(text.encode(), 1))
    with pytest.MonkeyPatch.context() as patch:
        assert outcome(path, patch, BY_COLUMNS) == outcome(path, patch, ROW_BY_ROW)


@pytest.mark.parametrize("taxi", TAXIS.values(), ids=str)
@pytest.mark.parametrize(
    ("place", "text"),
    [
        (1, "2019-02-29 10:00:00"),
        (1, "2019-01-01 10:00:00.5"),
        (2, "x"),
        (0, "long " * 9),
        (4, "é"),
    ],
)
def test_one_odd_row_far_down_is_told_the_same_of_both_ways(
    taxi, place, text, tmp_path, monkeypatch
):
    lines = b"".join(sample.text(taxi, Month(2019, 1), 5_000)).decode().split("\r\n")
    fields = lines[4_321].split(",")
    fields[place] = text
    lines[4_321] = ",".join(fields)
    path = tmp_path / "m.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join(lines).encode(), 1))
    month = Month(2019, 1)
    assert outcome(path, monkeypatch, BY_COLUMNS, taxi, month) == outcome(
        path, monkeypatch, ROW_BY_ROW, taxi, month
    )


def test_every_real_month_is_found_the_same_both_ways(real_months: Path, monkeypatch):
    for name in json.loads((real_months / "expected.json").read_text()):
        path, taxi = real_months / "releases" / name, TAXIS[name.split("/")[0]]
        month = Month.parse(name[-14:-7])
        assert outcome(path, monkeypatch, BY_COLUMNS, taxi, month) == outcome(
            path, monkeypatch, ROW_BY_ROW, taxi, month
        )
