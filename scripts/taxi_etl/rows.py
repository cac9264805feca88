"""A .csv.gz as blocks of whole lines, in one pass and in little memory.

The blocks are large (megabytes) and the work on them is done by C functions of the standard
library on whole blocks: a month of 7.6 million rows is checked in seconds.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from taxi_etl.errors import BadFile

_READ = 1 << 18
_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 16
_MAGIC = b"\x1f\x8b"
_GZIP = 31  # zlib's code for "a gzip member: header, data, CRC and length"


def text_blocks(file: BinaryIO, *digests: Callable[[bytes], object]) -> Iterator[bytes]:
    """The decompressed bytes of a gzip file of one or more members, in blocks.

    Each of `digests` is called with every compressed piece, in order. zlib checks the CRC and
    the length in each member's trailer. Raises BadFile when the file is not gzip, ends too
    early, is damaged, or goes on after its last member, be it with zeros: not every reader
    takes padding.
    """
    first = file.read(_READ)
    if first[:2] != _MAGIC:
        raise BadFile(f"not a gzip file: it begins with {_shown(first)}")
    member = zlib.decompressobj(_GZIP)
    piece = first
    while piece:
        for digest in digests:
            digest(piece)
        while piece:
            if member.eof:
                if piece[0] != _MAGIC[0]:
                    raise BadFile(f"the gzip data are followed by {_shown(piece)}: not gzip")
                member = zlib.decompressobj(_GZIP)
            try:
                block = member.decompress(piece, _BLOCK)
            except zlib.error as error:
                raise BadFile(f"the gzip data are damaged: {error}") from error
            piece = member.unused_data if member.eof else member.unconsumed_tail
            if block:
                yield block
        piece = file.read(_READ)
    if not member.eof:
        raise BadFile("the gzip file is truncated: it ends before its trailer")


def line_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes cut at line ends; a last line without one gets the file's.

    Raises BadFile for a line that is longer than any trip can be.
    """
    rest, end = b"", b""
    for block in blocks:
        end = end or block[: block.find(b"\n") + 1][-2:]
        cut = block.rfind(b"\n") + 1
        if not cut:
            rest += block
            if len(rest) > _LONGEST_LINE:
                raise BadFile(f"a line is longer than {_LONGEST_LINE} bytes: not a month file")
            continue
        yield rest + block[:cut]
        rest = block[cut:]
    if rest:
        yield rest + (end if end == b"\r\n" else b"\n")


def bare_lines(block: bytes) -> list[bytes]:
    """The lines of a block of whole lines, without LF or CRLF."""
    if block.count(b"\r\n") == block.count(b"\n"):
        lines = block.split(b"\r\n")
    else:
        lines = block.replace(b"\r\n", b"\n").split(b"\n")
    lines.pop()  # what follows the last line end: nothing
    return lines


def data_blocks(file: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of the file in blocks, without the header. For a file that was checked."""
    first = True
    for block in line_blocks(text_blocks(file)):
        lines = bare_lines(block)
        yield lines[1:] if first else lines
        first = False


def _shown(data: bytes) -> str:
    return repr(data[:24].decode("ascii", "replace")) if data else "nothing: it is empty"
