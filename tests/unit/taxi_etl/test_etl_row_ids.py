import tracemalloc
from collections import Counter
from hashlib import md5

from hypothesis import given
from hypothesis import strategies as st

from taxi_etl import row_ids

LINES = st.lists(st.sampled_from([b"a,1", b"a,2", b"b,", b"c,\xc3\xa9"]), max_size=40)


def by_definition(lines, filename):
    """The ids as the rule says them, the simple way."""
    seen = Counter()
    for line in lines:
        yield md5(f"{filename}|".encode() + line + f"|{seen[line]}".encode()).hexdigest()
        seen[line] += 1


def ids(blocks, folder):
    with row_ids.repeats(blocks, folder) as again:
        return b"".join(row_ids.identified(blocks, "f.csv.gz", again)).decode().splitlines()


@given(blocks=st.lists(LINES, max_size=5))
def test_ids_follow_the_rule_whatever_the_blocks(blocks, tmp_path_factory):
    lines = [line for block in blocks for line in block]
    found = ids(blocks, tmp_path_factory.getbasetemp())
    assert [one.split(",", 1)[0] for one in found] == list(by_definition(lines, "f.csv.gz"))
    assert [one.split(",", 1)[1] for one in found] == [line.decode() for line in lines]


@given(blocks=st.lists(LINES, max_size=5))
def test_every_row_has_an_id_of_its_own(blocks, tmp_path_factory):
    found = [one.split(",", 1)[0] for one in ids(blocks, tmp_path_factory.getbasetemp())]
    assert len(set(found)) == len(found)


def test_repeats_are_found_across_blocks_and_spills(tmp_path, monkeypatch):
    monkeypatch.setattr(row_ids, "_SPILL", 100)
    blocks = [[b"row %d" % (number * 10 + n) for n in range(10)] for number in range(100)]
    blocks.append([b"row 5", b"row 999", b"new", b"row 5"])
    with row_ids.repeats(blocks, tmp_path) as again:
        assert list(again) == [(1000, 1), (1001, 1), (1003, 2)]
    assert not list(tmp_path.iterdir())


def test_different_rows_with_one_hash_are_not_taken_for_equal(tmp_path, monkeypatch):
    monkeypatch.setattr(row_ids, "hash", lambda line: 7, raising=False)
    with row_ids.repeats([[b"one", b"two", b"one"]], tmp_path) as again:
        assert list(again) == [(2, 1)]


def test_memory_does_not_grow_with_the_number_of_repeated_rows(tmp_path, monkeypatch):
    """A file put together from the same rows twice: every one of them occurs again."""
    monkeypatch.setattr(row_ids, "_SPILL", 2000)

    def blocks():
        for block in [*range(60), *range(60)]:
            yield [b"%d,%d" % (block, row) + b"," * 100 for row in range(500)]

    tracemalloc.start()
    try:
        with row_ids.repeats(blocks(), tmp_path) as again:
            count = sum(block.count(b"\n") for block in row_ids.identified(blocks(), "f", again))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 60_000
    assert peak < 4 << 20, "the text of the rows alone is 6 MB"
