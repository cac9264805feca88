"""`unique_row_id`: what tells the trips of a file apart, also identical ones.

The id is the MD5 of `<file name>|<the row as it stands in the file>|<n>`, where n counts the
identical rows of that file from 0. BigQuery computes it in SQL; here it is computed for
PostgreSQL, to which the rows are streamed. Identical rows are very rare, but they exist, and to
know them takes a look at the whole file first: `repeated` finds the few rows that occur again,
so that the stream has to count only those.
"""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from hashlib import md5
from pathlib import Path

_PARTS = 64
_SPILL = 1 << 17  # row hashes in memory before they go to disk


def repeated(blocks: Iterable[list[bytes]], work: Path) -> Set[int]:
    """The `hash()` of every row that may occur more than once, in bounded memory.

    Equal rows have equal hashes, so none is missed; two different rows with the same hash cost
    a little counting and change nothing. The hashes are spread over parts on disk in `work`,
    and each part is small enough to look through on its own.
    """
    found: set[int] = set()
    with tempfile.TemporaryFile(dir=work) as file:
        pieces: list[list[tuple[int, int]]] = [[] for _ in range(_PARTS)]
        for hashes in _batches(blocks):
            for part, values in enumerate(_split(hashes)):
                pieces[part].append((file.tell(), len(values)))
                values.tofile(file)
        for part in pieces:
            values = array("q")
            for position, count in part:
                file.seek(position)
                values.fromfile(file, count)
            found |= _twice(values)
    return found


def _batches(blocks: Iterable[list[bytes]]) -> Iterator[list[int]]:
    batch: list[int] = []
    for lines in blocks:
        batch.extend(map(hash, lines))
        if len(batch) >= _SPILL:
            yield batch
            batch = []
    yield batch


def _split(hashes: list[int]) -> list[array]:
    parts = [array("q") for _ in range(_PARTS)]
    appends = [part.append for part in parts]
    for value in hashes:
        appends[value % _PARTS](value)
    return parts


def _twice(values: array) -> set[int]:
    distinct = set(values)
    if len(distinct) == len(values):
        return set()
    return {value for value, count in Counter(values).items() if count > 1}


def identified(blocks: Iterable[list[bytes]], filename: str, again: Set[int]) -> Iterator[bytes]:
    """The rows with their ids, as blocks of lines `<id>,<row>`; `again` comes from `repeated`."""
    start = f"{filename}|".encode()
    counts: Counter[bytes] = Counter()
    for lines in blocks:
        numbers = [b"|0"] * len(lines)
        for place, value in enumerate(map(hash, lines)) if again else ():
            if value in again:
                line = lines[place]
                numbers[place] = b"|%d" % counts[line]
                counts[line] += 1
        yield b"".join(
            [
                b"%s,%s\n" % (md5(start + line + number).hexdigest().encode(), line)  # noqa: S324
                for line, number in zip(lines, numbers, strict=True)
            ]
        )
