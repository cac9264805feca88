"""Rows of a month file in COPY's binary form: the server has nothing to read, only to store.

Most rows are put together many at a time: rows with the same empty fields and the same lengths
of text have one layout, so their bytes are a table with a column for each field. The rows that
`columns` takes for odd, and small blocks, are put together one by one.

Source of the form: PostgreSQL's manual, COPY, "Binary Format"; a timestamp is microseconds since
2000-01-01, every number big-endian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from struct import Struct
from typing import TYPE_CHECKING, Any

from taxi_etl import columns, rows
from taxi_etl.row_ids import SIZE, RowIds
from taxi_etl.schema import Kind, Taxi

if TYPE_CHECKING:
    from taxi_etl.columns import Array, Columns

_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_DIGITS = 32  # of an id in hexadecimal
_SHORT = 8  # characters of a text that is put together with others

_Count, _Whole, _Long, _Double = Struct(">h"), Struct(">ii"), Struct(">iq"), Struct(">id")
_LENGTH = Struct(">i")
_EPOCH = date(2000, 1, 1).toordinal()


def stream(blocks: Iterable[bytes], taxi: Taxi, ids: RowIds) -> Iterator[bytes]:
    """What COPY takes: each row's id in hexadecimal, then the row's fields.

    The ids are found in a thread of their own, a block before the one that is put together.
    """
    yield _HEAD
    for block in rows.ahead(_identified(blocks, taxi, ids), 1):
        yield block.rows()
    for lines, known in ids.rest():
        yield b"".join(map(_Rows(taxi).row, lines, known))
    yield _TAIL


@dataclass(frozen=True)
class _Block:
    """Some rows of the file with their ids; `waiting` are the places of those that wait."""

    taxi: Taxi
    read: Columns | None
    lines: Sequence[bytes]
    ids: bytes
    waiting: list[int]

    def rows(self) -> bytes:
        """The rows that do not wait."""
        others: Iterable[int]
        if self.read:
            together, others = _together(self.read, self.ids, self.waiting)
        else:
            held = set(self.waiting)
            together, others = b"", (n for n in range(len(self.lines)) if n not in held)
        one_by_one = _Rows(self.taxi)
        return together + b"".join(
            one_by_one.row(self.lines[place], self.ids[place * SIZE : (place + 1) * SIZE])
            for place in others
        )


def _identified(blocks: Iterable[bytes], taxi: Taxi, ids: RowIds) -> Iterator[_Block]:
    for block in blocks:
        read = None
        if columns.worth(block.count(b"\n")):
            end = b"\r\n" if block.endswith(b"\r\n") else b"\n"
            read = columns.Columns.of(block, taxi, end)
        lines = read.lines(block) if read else rows.bare_lines(block)
        yield _Block(taxi, read, lines, *ids.of(lines))


class _Rows:
    """Puts rows together one by one."""

    def __init__(self, taxi: Taxi) -> None:
        self._fields = [_WRITERS[column.kind] for column in taxi.columns]
        self._start = _Count.pack(1 + len(taxi.columns)) + _LENGTH.pack(_DIGITS)

    def row(self, line: bytes, row_id: bytes) -> bytes:
        """The row with its id."""
        fields = [
            write(text) if text else _NULL
            for write, text in zip(self._fields, line.split(b","), strict=True)
        ]
        return b"".join((self._start, row_id.hex().encode(), *fields))


def _text(text: bytes) -> bytes:
    return _LENGTH.pack(len(text)) + text


def _whole(text: bytes) -> bytes:
    return _Whole.pack(4, int(text))


def _number(text: bytes) -> bytes:
    return _Double.pack(8, float(text))


def _time(text: bytes) -> bytes:
    """`YYYY-MM-DD HH:MM:SS`, with up to six decimals or without."""
    day = date(int(text[:4]), int(text[5:7]), int(text[8:10])).toordinal() - _EPOCH
    seconds = (day * 24 + int(text[11:13])) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    return _Long.pack(8, seconds * 1_000_000 + int(text[20:].ljust(6, b"0")))


_WRITERS: dict[Kind, Callable[[bytes], bytes]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.CODE: _whole,
    Kind.NUMBER: _number,
    Kind.TIME: _time,
}
_TYPES = {Kind.WHOLE: ">i4", Kind.CODE: ">i4", Kind.NUMBER: ">f8", Kind.TIME: ">i8"}


def _together(read: Columns, ids: bytes, waiting: list[int]) -> tuple[bytes, list[int]]:
    """The rows that have nothing odd and do not wait, layout by layout; the places of the odd."""
    import numpy as np

    taxi = read.taxi
    fields = [_values(read, place) for place in range(len(taxi.columns))]
    layouts = np.zeros(read.rows, np.int64)
    for place, column in enumerate(taxi.columns):
        length = read.lengths(place)
        if column.kind is Kind.TEXT:
            read.odd |= length > _SHORT
            layouts = layouts << 4 | np.minimum(length, _SHORT)
        else:
            layouts = layouts << 1 | (length != 0)
    chosen = ~read.odd
    others: Array = read.odd.copy()
    chosen[waiting] = others[waiting] = False
    order = np.flatnonzero(chosen)
    order = order[np.argsort(layouts[order], kind="stable")]
    layouts = layouts[order]
    hexadecimal = np.frombuffer(ids.hex().encode(), f"S{_DIGITS}")[order]
    sorted_fields = [values[order] for values in fields]
    ends = [*(np.flatnonzero(np.diff(layouts)) + 1).tolist(), len(order)]
    made, first = [], 0
    for end in ends if len(order) else []:
        rows_of = slice(first, end)
        table = np.empty(end - first, _layout(taxi, int(layouts[first])))
        table["count"] = 1 + len(taxi.columns)
        table["id_length"] = _DIGITS
        table["id"] = hexadecimal[rows_of]
        for place, values in enumerate(sorted_fields):
            _fill(table, place, values[rows_of])
        made.append(table.tobytes())
        first = end
    return b"".join(made), np.flatnonzero(others).tolist()


def _values(read: Columns, place: int) -> Array:
    """The values of a column; of text, its first characters in a word."""
    kind = read.taxi.columns[place].kind
    if kind is Kind.TEXT:
        return read.words(read.starts(place))
    if kind is Kind.TIME:
        return read.times(place).microseconds()
    return read.numbers(place).floats() if kind is Kind.NUMBER else read.wholes(place)


def _layout(taxi: Taxi, packed: int) -> Any:
    """The fields of a row of that layout, as NumPy describes them; a null has a length only."""
    import numpy as np

    fields: list[tuple[str, Any]] = []
    for place, column in reversed(list(enumerate(taxi.columns))):
        bits = 4 if column.kind is Kind.TEXT else 1
        length = packed & (1 << bits) - 1
        packed >>= bits
        if length:
            kind = (np.uint8, (length,)) if column.kind is Kind.TEXT else _TYPES[column.kind]
            fields.append((f"value{place}", kind))
        fields.append((f"length{place}", ">i4"))
    return np.dtype([("count", ">i2"), ("id_length", ">i4"), ("id", f"S{_DIGITS}"), *fields[::-1]])


def _fill(table: Any, place: int, values: Array) -> None:
    import numpy as np

    name = f"value{place}"
    if name not in table.dtype.names:
        table[f"length{place}"] = -1
        return
    kind = table.dtype[name]
    table[f"length{place}"] = kind.itemsize
    if kind.subdtype is not None:
        values = np.ascontiguousarray(values).view(np.uint8).reshape(-1, _SHORT)
        values = values[:, : kind.itemsize]
    table[name] = values
