"""`unique_row_id`: what tells the trips of a file apart, also identical ones.

The id is the MD5 of `<file name>|<the row as it stands in the file>|<n>`, where n counts the
identical rows of that file from 0. BigQuery computes it in SQL; here it is computed for
PostgreSQL, to which the rows are streamed. Identical rows are very rare, but they exist. So every
row is numbered 0 and goes on at once, unless a filter says that it may have occurred before:
those few wait for the end of the file, when it is known how often each of them has.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import md5
from mmap import mmap
from pathlib import Path
from typing import IO

from taxi_etl import columns, digests

SIZE = digests.SIZE
"""Bytes of an id."""

_BITS = 1 << 28  # of the filter: 32 MiB, of which a small file touches little
_TOGETHER = 100_000  # rows that are looked at together when the file is through
_LENGTH = struct.Struct("<I")  # of a line


@contextmanager
def of_file(filename: str, work: Path) -> Iterator[RowIds]:
    """The ids of a month file's rows; temporary files are made in `work`."""
    with tempfile.TemporaryFile(dir=work) as gone, tempfile.TemporaryFile(dir=work) as waiting:
        yield RowIds(filename, gone, waiting)


class RowIds:
    """The ids of one file's rows, block by block.

    Memory is bounded whatever the rows are: the ids of the rows that went on, and the rows that
    wait, are written to files.
    """

    def __init__(self, filename: str, gone: IO[bytes], waiting: IO[bytes]) -> None:
        """Of a file of which no row was seen yet, with two empty files."""
        self._start = f"{filename}|".encode()
        self._filter = _Filter()
        self._gone, self._waiting = gone, waiting
        self._waiting_rows = 0

    def of(self, lines: Sequence[bytes]) -> tuple[bytes, list[int]]:
        """The ids of the next rows, one after the other, and the places of those that wait.

        Places are given in order; those rows come from `rest`.
        """
        start, first = self._start, b"|0"
        if isinstance(lines, columns.Lines):
            ids = digests.of_lines(start, lines.text, lines.starts, lines.ends, first)
        else:
            ids = b"".join(
                md5(start + line + first, usedforsecurity=False).digest() for line in lines
            )
        waiting = self._filter.seen(ids)
        since = 0
        for place in waiting:
            here, behind = place * SIZE, (place + 1) * SIZE
            self._gone.write(ids[since:here])
            line = lines[place]
            self._waiting.write(ids[here:behind] + _LENGTH.pack(len(line)) + line)
            since = behind
        self._gone.write(ids[since:])
        self._waiting_rows += len(waiting)
        return ids, waiting

    def rest(self) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """The rows that waited, with their ids, in blocks."""
        groups = -(-self._waiting_rows // _TOGETHER)
        for group in range(groups):
            once = self._gone_among({row_id for row_id, _ in self._waiters(group, groups)})
            seen = dict.fromkeys(once, 1)
            lines, ids = [], []
            for row_id, line in self._waiters(group, groups):
                n = seen.get(row_id, 0)
                seen[row_id] = n + 1
                text = b"%b%b|%d" % (self._start, line, n)
                ids.append(md5(text, usedforsecurity=False).digest() if n else row_id)
                lines.append(line)
                if len(lines) == 5_000:
                    yield lines, ids
                    lines, ids = [], []
            if lines:
                yield lines, ids

    def _waiters(self, group: int, groups: int) -> Iterator[tuple[bytes, bytes]]:
        """The id with n = 0 and the row of each that waited, in order; one group of them."""
        self._waiting.seek(0)
        while head := self._waiting.read(SIZE + _LENGTH.size):
            line = self._waiting.read(*_LENGTH.unpack_from(head, SIZE))
            if int.from_bytes(head[8:SIZE], "little") % groups == group:
                yield head[:SIZE], line

    def _gone_among(self, ids: set[bytes]) -> set[bytes]:
        """Which of the ids have gone on already."""
        gone: set[bytes] = set()
        self._gone.seek(0)
        while block := self._gone.read(SIZE << 14):
            gone.update(ids.intersection(struct.unpack(f"{SIZE}s" * (len(block) // SIZE), block)))
        return gone


class _Filter:
    """Remembers ids by two bits each: it forgets none, and takes very few for seen that are not."""

    def __init__(self) -> None:
        self._bits = mmap(-1, _BITS >> 3)  # zeros that cost nothing until they are touched

    def seen(self, ids: bytes) -> list[int]:
        """The places of the ids that may have occurred before, here or in an earlier call."""
        if columns.worth(len(ids) // SIZE):
            return columns.seen(self._bits, ids)
        bits, places = self._bits, []
        for place in range(len(ids) // SIZE):
            known = True
            for start in (place * SIZE, place * SIZE + 4):
                bit = int.from_bytes(ids[start : start + 4], "little") % _BITS
                if not bits[bit >> 3] >> (bit & 7) & 1:
                    known = False
                    bits[bit >> 3] |= 1 << (bit & 7)
            if known:
                places.append(place)
        return places
