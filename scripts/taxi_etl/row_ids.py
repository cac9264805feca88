"""`unique_row_id`: what tells the trips of a file apart, also identical ones.

The id is the MD5 of `<file name>|<the row as it stands in the file>|<n>`, where n counts the
identical rows of that file from 0. BigQuery computes it in SQL; here it is computed for
PostgreSQL, to which the rows are streamed. Identical rows are very rare, but they exist, and to
know them takes a look at the whole file first: `repeats` finds the few rows that have occurred
before, so that the stream has to number only those.
"""

from __future__ import annotations

import heapq
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

_PARTS = 256
_SPILL = 1 << 17  # rows that are remembered in memory before they go to disk
_CRC = 32  # bits of a tag that hold a row's CRC; the others hold its number

Place = tuple[int, int]
"""Where an array lies in a file: its position, and how many numbers it has."""


@contextmanager
def repeats(blocks: Iterable[list[bytes]], work: Path) -> Iterator[Iterator[tuple[int, int]]]:
    """The number in the file and the n of every row that has occurred before, in order.

    Memory is bounded whatever the rows are: what is remembered of each is spread over parts of
    a file in `work`, and each part is small enough to look through on its own. Rows are equal
    when their hash and their CRC are, 96 bits together, so text need not be kept.
    """
    with tempfile.TemporaryFile(dir=work) as file:
        parts = _spread(blocks, file)
        found = [[_written(some, file) for some in _again(file, *part)] for part in parts]
        yield heapq.merge(*(_pairs(file, places) for places in found))


def _spread(blocks: Iterable[list[bytes]], file: BinaryIO) -> list[tuple[list[Place], list[Place]]]:
    """Write each row's hash and tag to the file; gives the places of every part's."""
    parts: list[tuple[list[Place], list[Place]]] = [([], []) for _ in range(_PARTS)]
    for hashes, tags in _batches(blocks):
        split = [(array("q"), array("q")) for _ in range(_PARTS)]
        appends = [(one.append, other.append) for one, other in split]
        for value, tag in zip(hashes, tags, strict=True):
            hold, note = appends[value % _PARTS]
            hold(value)
            note(tag)
        for places, arrays in zip(parts, split, strict=True):
            for place, values in zip(places, arrays, strict=True):
                place.append(_written(values, file))
    return parts


def _batches(blocks: Iterable[list[bytes]]) -> Iterator[tuple[list[int], list[int]]]:
    hashes: list[int] = []
    tags: list[int] = []
    rows = 0
    for lines in blocks:
        hashes.extend(map(hash, lines))
        tags.extend([number << _CRC | crc for number, crc in enumerate(map(crc32, lines), rows)])
        rows += len(lines)
        if len(hashes) >= _SPILL:
            yield hashes, tags
            hashes, tags = [], []
    yield hashes, tags


def _written(values: array[int], file: BinaryIO) -> Place:
    place = file.seek(0, 2), len(values)
    values.tofile(file)
    return place


def _read(file: BinaryIO, place: Place) -> array[int]:
    position, count = place
    values = array("q")
    file.seek(position)
    values.fromfile(file, count)
    return values


def _again(file: BinaryIO, hashes: list[Place], tags: list[Place]) -> Iterator[array[int]]:
    """The rows of a part that have occurred before: number, n, number, n, …"""
    once: set[int] = set()
    for place in hashes:
        once.update(_read(file, place))
    if len(once) == sum(count for _, count in hashes):
        return
    seen: dict[tuple[int, int], int] = {}
    for ours, theirs in zip(hashes, tags, strict=True):
        found = array("q")
        for value, tag in zip(_read(file, ours), _read(file, theirs), strict=True):
            row = value, tag & (1 << _CRC) - 1
            n = seen[row] = seen.get(row, -1) + 1
            if n:
                found.extend((tag >> _CRC, n))
        yield found


def _pairs(file: BinaryIO, places: Iterable[Place]) -> Iterator[tuple[int, int]]:
    for place in places:
        values = _read(file, place)
        yield from zip(values[::2], values[1::2], strict=True)


def identified(
    blocks: Iterable[list[bytes]], filename: str, again: Iterator[tuple[int, int]]
) -> Iterator[bytes]:
    """The rows with their ids, as blocks of lines `<id>,<row>`; `again` comes from `repeats`."""
    start = f"{filename}|".encode()
    row, n = next(again, (-1, 0))
    first = 0
    for lines in blocks:
        numbers = [b"|0"] * len(lines)
        while first <= row < first + len(lines):
            numbers[row - first] = b"|%d" % n
            row, n = next(again, (-1, 0))
        first += len(lines)
        yield b"".join(
            [
                b"%s,%s\n" % (md5(start + line + number).hexdigest().encode(), line)  # noqa: S324
                for line, number in zip(lines, numbers, strict=True)
            ]
        )
