"""Any first line: a taxi's header in capitals or not, or a refusal that names what is wrong."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from taxi_etl import sample
from taxi_etl.errors import BadFile
from taxi_etl.inspection import inspect
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS

GREEN, OCTOBER = TAXIS["green"], Month(2020, 10)
NAMES = GREEN.header.split(",")
ROWS = b"".join(sample.text(GREEN, OCTOBER, 3)).partition(b"\n")[2]


def read(header: bytes):
    """What is found in a month of three good rows below this line."""
    with tempfile.NamedTemporaryFile(suffix=".csv.gz") as file:
        file.write(gzip.compress(header + b"\r\n" + ROWS, 1))
        file.flush()
        return inspect(Path(file.name), GREEN, OCTOBER)


@settings(max_examples=25)
@given(st.lists(st.booleans(), min_size=len(GREEN.header), max_size=len(GREEN.header)))
def test_capitals_anywhere_are_the_same_header(upper):
    chosen = zip(GREEN.header, upper, strict=True)
    spelt = "".join(letter.upper() if up else letter.lower() for letter, up in chosen)
    assert read(spelt.encode()).rows == 3


def changed(names: list[str]) -> st.SearchStrategy[list[str]]:
    """A header with one column more, less, twice, renamed, or two of them exchanged."""
    place = st.integers(0, len(names) - 1)
    text = st.text(st.characters(exclude_characters="\r\n,"), max_size=12)
    return st.one_of(
        st.builds(lambda at: names[:at] + names[at + 1 :], place),
        st.builds(lambda at, name: [*names[:at], name, *names[at:]], place, text),
        st.builds(lambda at, name: [*names[:at], name, *names[at + 1 :]], place, text),
        st.permutations(names).map(list),
    )


@settings(max_examples=60)
@given(changed(NAMES).filter(lambda names: ",".join(names).lower() != GREEN.header.lower()))
@example([f'"{name}"' for name in NAMES])
@example([f" {name}" for name in NAMES])
@example(["\ufeff" + NAMES[0], *NAMES[1:]])
@example([name.replace("k", "\u212a") for name in NAMES])  # lower() makes a k of it
def test_any_other_header_is_refused_and_the_column_is_named(names):
    with pytest.raises(BadFile, match=r"^wrong header: (column \d+|\d+ columns, not 20)"):
        read(",".join(names).encode("utf-8", "replace"))


@settings(max_examples=40)
@given(st.binary(max_size=200).filter(lambda line: b"\n" not in line))
def test_any_bytes_in_place_of_a_header_are_refused(line):
    with pytest.raises(BadFile):
        read(line)
