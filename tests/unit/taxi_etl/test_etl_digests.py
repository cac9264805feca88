"""Digests of many lines at a time are hashlib's."""

from hashlib import md5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_etl import digests


def of_lines(before, lines, after):
    """The digests, of lines that stand in a text with something around them."""
    text = b"".join(b"<" + line + b">" for line in lines)
    ends = np.cumsum([len(line) + 2 for line in lines]) - 1
    starts = ends - [len(line) for line in lines]
    found = digests.of_lines(before, text, starts, ends, after)
    size = digests.SIZE
    return [found[place : place + size] for place in range(0, len(found), size)]


def by_hashlib(before, lines, after):
    return [md5(before + line + after).digest() for line in lines]


@given(
    before=st.binary(max_size=80),
    lines=st.lists(st.binary(max_size=90), min_size=1, max_size=12),
    after=st.binary(max_size=3),
)
def test_they_are_what_hashlib_finds(before, lines, after):
    assert of_lines(before, lines, after) == by_hashlib(before, lines, after)


@pytest.mark.parametrize("after", [b"", b"|", b"|0"])
@pytest.mark.parametrize(
    "before", [b"", b"f.csv.gz|", bytes(range(64)), bytes(range(199))], ids=len
)
def test_lines_of_every_length_together(before, after):
    """Across every border of words and of chunks, and beyond what is done many at a time."""
    lines = [bytes([length % 251]) * length for length in range(330)]
    assert of_lines(before, lines, after) == by_hashlib(before, lines, after)


def test_lines_that_differ_in_one_bit_differ():
    lines = [b"a,b", b"a,c", b"a,b"]
    first, second, again = of_lines(b"f|", lines, b"|0")
    assert first == again != second
