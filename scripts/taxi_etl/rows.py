"""A .csv.gz as blocks of whole lines, in one pass and in little memory.

The blocks are large (megabytes) and the work on them is done by C functions on whole blocks; they
are decompressed by ISA-L (twice as fast as zlib) in a thread of its own, while others are worked
on.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO, TypeVar

from isal import isal_zlib

from taxi_etl.errors import BadFile

Block = TypeVar("Block")
Done = TypeVar("Done")

_READ = 1 << 18
_BLOCK = 1 << 19
_LONGEST_LINE = 1 << 16
_AHEAD = 4
_AT_ONCE = 2
_MAGIC = b"\x1f\x8b"
_DAMAGED: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub says less
_GZIP = 31  # ISA-L's and zlib's code for "a gzip member: header, data, CRC and length"


def text_blocks(file: BinaryIO, *digests: Callable[[bytes], object]) -> Iterator[bytes]:
    """The decompressed bytes of a gzip file of one or more members, in blocks.

    Each of `digests` is called with every compressed piece, in order. The CRC and the length in
    each member's trailer are checked. Raises BadFile when the file is not gzip, ends too early,
    is damaged, or goes on after its last member, be it with zeros: not every reader takes padding.
    """
    first = file.read(_READ)
    if first[:2] != _MAGIC:
        raise BadFile(f"not a gzip file: it begins with {_shown(first)}")
    member = isal_zlib.decompressobj(_GZIP)
    piece = first
    while piece:
        for digest in digests:
            digest(piece)
        while piece:
            if member.eof:
                if piece[0] != _MAGIC[0]:
                    raise BadFile(f"the gzip data are followed by {_shown(piece)}: not gzip")
                member = isal_zlib.decompressobj(_GZIP)
            try:
                block = member.decompress(piece, _BLOCK)
            except _DAMAGED as error:
                raise BadFile(f"the gzip data are damaged: {error}") from error
            piece = member.unused_data if member.eof else member.unconsumed_tail
            if block:
                yield block
        piece = file.read(_READ)
    if not member.eof:
        raise BadFile("the gzip file is truncated: it ends before its trailer")


def ahead(blocks: Iterator[Block], most: int = _AHEAD) -> Iterator[Block]:
    """The same blocks, made in a second thread, at most so many before they are asked for.

    What goes wrong there is raised here.
    """
    ready: queue.Queue[Block | BaseException | None] = queue.Queue(most)
    left = threading.Event()

    def make() -> None:
        last: BaseException | None = None
        try:
            for block in blocks:
                ready.put(block)
                if left.is_set():
                    return
        except BaseException as error:  # told to the reader, whatever it is
            last = error
        ready.put(last)

    maker = threading.Thread(target=make, name="ahead", daemon=True)
    maker.start()
    try:
        while (block := ready.get()) is not None:
            if isinstance(block, BaseException):
                raise block
            yield block
    finally:
        left.set()
        while maker.is_alive():  # it may stand before a full queue
            with suppress(queue.Empty):
                ready.get(timeout=0.01)


def each(work: Callable[[Block], Done], blocks: Iterator[Block]) -> Iterator[Done]:
    """What the work makes of each block, in their order; it is done on two at the same time."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        begun: deque[Future[Done]] = deque()
        for block in blocks:
            begun.append(pool.submit(work, block))
            if len(begun) > _AT_ONCE:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def line_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes cut at line ends, in blocks of one size or more, but for the last one.

    A last line without an end gets the file's. Raises BadFile for a line that is longer than any
    trip can be.
    """
    rest, end = b"", b""
    whole: list[bytes] = []
    length = 0
    try:
        for block in blocks:
            end = end or block[: block.find(b"\n") + 1][-2:]
            cut = block.rfind(b"\n") + 1
            if not cut:
                rest += block
                if len(rest) > _LONGEST_LINE:
                    raise BadFile(f"a line is longer than {_LONGEST_LINE} bytes: not a month file")
                continue
            whole += rest, block[:cut]
            length += len(rest) + cut
            rest = block[cut:]
            if length >= _BLOCK:
                yield b"".join(whole)
                whole, length = [], 0
    except BadFile:
        if whole:  # what stands before it may be bad too, and is told first
            yield b"".join(whole)
        raise
    if rest:
        whole += rest, end if end == b"\r\n" else b"\n"
    if whole:
        yield b"".join(whole)


def bare_lines(block: bytes) -> list[bytes]:
    """The lines of a block of whole lines, without LF or CRLF."""
    if block.count(b"\r\n") == block.count(b"\n"):
        lines = block.split(b"\r\n")
    else:
        lines = block.replace(b"\r\n", b"\n").split(b"\n")
    lines.pop()  # what follows the last line end: nothing
    return lines


def data_blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rows of the file in blocks of whole lines, without the header. For a checked file."""
    blocks = line_blocks(ahead(text_blocks(file)))
    first = next(blocks)
    if rest := first[first.index(b"\n") + 1 :]:
        yield rest
    yield from blocks


def _shown(data: bytes) -> str:
    return repr(data[:24].decode("ascii", "replace")) if data else "nothing: it is empty"
