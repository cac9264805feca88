import tracemalloc
from collections import Counter
from hashlib import md5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_etl import columns, row_ids

LINES = st.lists(st.sampled_from([b"a,1", b"a,2", b"b,", b"c,\xc3\xa9"]), max_size=40)
WAYS = pytest.mark.parametrize("worth", [1, 10**9], ids=["by columns", "row by row"])


def by_definition(lines, filename="f.csv.gz"):
    """The ids as the rule says them, the simple way, with their rows."""
    seen = Counter()
    for line in lines:
        yield md5(f"{filename}|".encode() + line + f"|{seen[line]}".encode()).digest(), line
        seen[line] += 1


def identified(blocks, folder):
    """Ids and rows as they come, without a place for the rows of a file."""
    with row_ids.of_file("f.csv.gz", folder) as ids:
        for lines in blocks:
            known, waiting = ids.of(lines)
            yield from (
                (known[16 * place : 16 * place + 16], line)
                for place, line in enumerate(lines)
                if place not in waiting
            )
        for lines, known in ids.rest():
            yield from zip(known, lines, strict=True)


@WAYS
@given(blocks=st.lists(LINES, max_size=5))
def test_ids_follow_the_rule_whatever_the_blocks(worth, blocks, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "worth", lambda rows: rows >= worth)
        found = list(identified(blocks, tmp_path_factory.getbasetemp()))
    lines = [line for block in blocks for line in block]
    assert sorted(found) == sorted(by_definition(lines))
    assert len({one for one, _ in found}) == len(lines)


@WAYS
def test_rows_that_occur_once_go_on_at_once_and_in_their_order(worth, tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "worth", lambda rows: rows >= worth)
    blocks = [[b"row %d" % (number * 10 + n) for n in range(10)] for number in range(100)]
    blocks.append([b"row 5", b"row 999", b"new", b"row 5"])
    found = [line for _, line in identified(blocks, tmp_path)]
    assert found[:1000] == [line for block in blocks[:100] for line in block]
    assert found[1000:] == [b"new", b"row 5", b"row 999", b"row 5"]
    assert not list(tmp_path.iterdir())


@WAYS
def test_rows_that_the_filter_takes_for_seen_have_the_ids_of_new_ones(worth, tmp_path, monkeypatch):
    """A filter of 64 bits is soon full: nearly every row waits, and few have occurred before."""
    monkeypatch.setattr(columns, "worth", lambda rows: rows >= worth)
    monkeypatch.setattr(row_ids, "_BITS", 64)
    monkeypatch.setattr(row_ids, "_TOGETHER", 100)
    lines = [b"row %d" % (number % 900) for number in range(1000)]
    found = list(identified([lines[:300], lines[300:]], tmp_path))
    assert sorted(found) == sorted(by_definition(lines))


def test_memory_does_not_grow_with_the_number_of_repeated_rows(tmp_path, monkeypatch):
    """A file put together from the same rows twice: every one of them occurs again."""
    monkeypatch.setattr(row_ids, "_TOGETHER", 1000)
    monkeypatch.setattr(row_ids, "_BITS", 1 << 20)
    monkeypatch.setattr(columns, "worth", lambda rows: True)
    columns._numpy()

    def blocks():
        for block in [*range(20), *range(20)]:
            yield [b"%d,%d" % (block, row) + b"," * 300 for row in range(500)]

    tracemalloc.start()
    try:
        count = sum(1 for _ in identified(blocks(), tmp_path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 4 << 20, "the text of the rows alone is 6 MB"
