"""MD5 of many lines at a time: the algorithm's steps, each on a word of every line at once.

hashlib takes a microsecond for each line, most of it for the object that it makes, and holds the
interpreter meanwhile; this takes a third of that, outside the interpreter. What it finds is what
hashlib finds, and a test compares them. Source of the algorithm: RFC 1321.
"""

from __future__ import annotations

import math
from hashlib import md5
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

SIZE = 16
"""Bytes of a digest."""

_CHUNK, _WORD = 64, 4  # bytes: what is worked on together, and the pieces that it is worked on by
_WORDS = _CHUNK // _WORD
_MOST = 4  # chunks of a message: longer ones are so rare that hashlib does them
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_SINES = [int(abs(math.sin(step + 1)) * 2**32) for step in range(64)]
_ROTATIONS = [(7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21)]
_PLACES = [
    *range(16),
    *((5 * step + 1) % 16 for step in range(16)),
    *((3 * step + 5) % 16 for step in range(16)),
    *(7 * step % 16 for step in range(16)),
]
_ALL = 0xFFFFFFFF


def of_lines(before: bytes, text: bytes, starts: Array, ends: Array, after: bytes) -> bytes:
    """The digests of `before` + a line + `after`, one after the other.

    The lines lie between `starts` and `ends` in the text. `after` has three bytes at most.
    """
    import numpy as np

    digests = np.empty((len(starts), _WORD), "<u4")
    chunks = (ends - starts + (len(before) + len(after) + 8)) // _CHUNK + 1
    # What is read of a line begins in `before` and ends behind it: that is masked
    around = b"".join((bytes(_WORD), text, bytes(_MOST * _CHUNK)))
    for count in range(1, _MOST + 1):
        chosen = np.flatnonzero(chunks == count)
        if len(chosen):
            message = _Message(before, around, starts[chosen], ends[chosen], after, count)
            digests[chosen] = _digested(message, len(chosen))
    for place in np.flatnonzero(chunks > _MOST).tolist():
        line = before + text[starts[place] : ends[place]] + after
        digests[place] = np.frombuffer(md5(line, usedforsecurity=False).digest(), "<u4")
    return digests.tobytes()


class _Message:
    """The words of messages that have the same number of chunks."""

    def __init__(
        self, before: bytes, around: bytes, starts: Array, ends: Array, after: bytes, chunks: int
    ) -> None:
        import numpy as np

        self.chunks = chunks
        self._before = before
        self._end = (len(before) + ends - starts).astype(np.int32)  # of the line in its message
        self._shortest, self._longest = int(self._end.min()), int(self._end.max())
        self._bits = ((self._end + len(after)) * 8).astype(np.uint32)
        self._first = len(before) // _WORD  # of the words that are not the same in all
        count = (self._longest + len(after)) // _WORD + 1 - self._first
        size = count * _WORD
        pieces = np.ndarray((len(around) - size + 1,), f"V{size}", around, strides=(1,))
        lines = pieces[starts + (_WORD - len(before) % _WORD)]
        self._words = lines.view("<u4").reshape(len(starts), count)
        tail = int.from_bytes(after + b"\x80", "little")
        # For a word that has so many bytes of its line, from -4 to 4: what stays, what is added
        bits = [8 * known for known in range(-_WORD, _WORD + 1)]
        keep = [(1 << max(0, bit)) - 1 for bit in bits]
        add = [(tail << bit if bit >= 0 else tail >> -bit) & _ALL for bit in bits]
        self._keep, self._add = np.array(keep, np.uint32), np.array(add, np.uint32)

    def word(self, number: int) -> Array | int:
        """That word of every message, or the number that it is in all of them."""
        import numpy as np

        first = number * _WORD
        last = self.chunks * _WORDS - 1
        if number >= last - 1:  # the length in bits: 64 of them, and 32 are enough
            return 0 if number == last else self._bits
        if number < self._first:
            return int.from_bytes(self._before[first : first + _WORD], "little")
        if number - self._first >= self._words.shape[1]:
            return 0
        words: Array = np.ascontiguousarray(self._words[:, number - self._first])
        if first + _WORD > self._shortest:
            known = np.clip(self._end - first, -_WORD, _WORD) + _WORD
            words &= self._keep[known]
            words |= self._add[known]
        if number == self._first:
            own = len(self._before) - first
            words &= np.uint32(_ALL << 8 * own & _ALL)
            words |= np.uint32(int.from_bytes(self._before[first:], "little"))
        return words


def _digested(message: _Message, rows: int) -> Array:
    """The digests of the messages: four words each."""
    import numpy as np

    state = [np.full(rows, word, np.uint32) for word in _START]
    for chunk in range(message.chunks):
        words = [message.word(chunk * _WORDS + place) for place in range(_WORDS)]
        for kept, added in zip(state, _compressed(state, words), strict=True):
            kept += added
    return np.stack(state, axis=1)


def _compressed(state: list[Array], words: list[Array | int]) -> list[Array]:
    """What a chunk adds to the state. All is done in place: memory is what takes the time."""
    import numpy as np

    a, b, c, d = (word.copy() for word in state)
    mixed = np.empty_like(a)
    for step, sine in enumerate(_SINES):
        turn = step // _WORDS
        if turn == 0:
            np.bitwise_xor(c, d, out=mixed)
            mixed &= b
            mixed ^= d
        elif turn == 1:
            np.bitwise_xor(b, c, out=mixed)
            mixed &= d
            mixed ^= c
        elif turn == 2:
            np.bitwise_xor(b, c, out=mixed)
            mixed ^= d
        else:
            np.invert(d, out=mixed)
            mixed |= b
            mixed ^= c
        word = words[_PLACES[step]]
        if isinstance(word, int):
            sine = sine + word & _ALL
        else:
            a += word
        a += mixed
        a += np.uint32(sine)
        left = _ROTATIONS[turn][step % 4]
        np.left_shift(a, np.uint32(left), out=mixed)
        a >>= np.uint32(32 - left)
        a |= mixed
        a += b
        a, b, c, d = d, a, b, c
    return [a, b, c, d]
