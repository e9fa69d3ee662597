"""The pieces of a subword vocabulary as their file has them, found by their bytes.

To make a quarter of a million strings and a dictionary of them takes longer than to answer a question, which asks for a
few hundred. So spellings stay bytes, end to end; they are hashed together, and grouped by their hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from xsearch.encode.keys import SPREAD

Pieces = Sequence[tuple[str, float]]
Integers = NDArray[np.int64]
Keys = NDArray[np.uint64]

NEWLINE = 10
BLOCK = 1 << 14
"""Bytes, or spellings, looked at together: what is computed on the way stays in a core's cache."""
GROUP_BITS = 16
"""NumPy sorts numbers of 16 bits by counting, in a third of the time."""
LIKELY_BITS = 20
LIKELY_SHIFT = np.uint64(64 - LIKELY_BITS)
WORD = 8
"""Bytes that are compared as one number."""
TAIL_SPREAD = np.uint64(0xBF58476D1CE4E5B9)
"""An odd factor beside `SPREAD` (Steele, Lea and Flood 2014)."""
MASKS = np.array([(1 << 8 * count) - 1 for count in range(WORD + 1)], dtype=np.uint64)
"""By a number of bytes, what leaves so many of a word, the first ones."""


class Bytes:
    """Bytes of which 8 can be read as one number from any place on. content: with 8 more than any stretch has."""

    def __init__(self, content: bytes) -> None:
        self._words = np.ndarray(len(content) - WORD + 1, dtype="<u8", buffer=content, strides=(1,))

    def word(self, begins: NDArray[np.integer], lengths: NDArray[np.integer]) -> Keys:
        """Of stretches that begin in these places the first 8 bytes, fewer of one that is shorter."""
        words: Keys = self._words[begins]
        words &= MASKS[np.minimum(lengths, WORD)]
        return words

    def keys(self, begins: NDArray[np.integer], lengths: NDArray[np.integer]) -> Keys:
        """A hash of each stretch: of its first and its last 8 bytes and its length."""
        keys = self.word(begins, lengths) * SPREAD
        keys += self.word(begins + np.maximum(lengths - WORD, 0), lengths) * TAIL_SPREAD
        keys += lengths.astype(np.uint64)
        keys ^= keys >> np.uint64(32)
        keys *= SPREAD
        return keys


class Vocabulary(Sequence[tuple[str, float]]):
    """Pieces in columns; as a sequence, the pairs of spelling and score.

    content: holds the spellings in UTF-8 as lines, from `begin` to `end`. scores: log probabilities, float (n,). Where
    a spelling stands twice, the last is found. Raises ValueError where lines are not as many as scores.
    """

    def __init__(self, content: bytes, begin: int, end: int, scores: NDArray[np.floating]) -> None:
        self._content = content if end + WORD <= len(content) else content[:end] + bytes(WORD)
        self._scores = scores
        # Piece i stands between the line breaks i and i + 1. Memory that is taken is what the time goes to: one array,
        # of 32 bits.
        self._breaks = np.empty(len(scores) + 1, dtype=np.int32)
        self._breaks[[0, -1]] = begin - 1, end
        codes, count = np.frombuffer(content, dtype=np.uint8)[:end], 1
        for at in range(begin, end, BLOCK):
            breaks = np.flatnonzero(codes[at : at + BLOCK] == NEWLINE)
            inside = breaks[: max(0, len(scores) - count)]
            self._breaks[count : count + len(inside)] = at + inside
            count += len(breaks)
        if count != len(scores):
            raise ValueError(f"{count} pieces but {len(scores)} scores")
        self._met: dict[int, str] = {}

    @staticmethod
    def of(pieces: Pieces) -> Vocabulary:
        """Of pairs, or the vocabulary itself."""
        if isinstance(pieces, Vocabulary):
            return pieces
        content = "\n".join([piece for piece, _ in pieces]).encode()
        return Vocabulary(content, 0, len(content), np.array([score for _, score in pieces], dtype=np.float64))

    def __len__(self) -> int:
        return len(self._scores)

    @overload
    def __getitem__(self, number: int) -> tuple[str, float]: ...
    @overload
    def __getitem__(self, number: slice) -> list[tuple[str, float]]: ...
    def __getitem__(self, number: int | slice) -> tuple[str, float] | list[tuple[str, float]]:
        if isinstance(number, slice):
            return list(zip(self.spellings[number], self.scores[number].tolist(), strict=True))
        return self.spelling(number), float(self._scores[number])

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return zip(self.spellings, self.scores.tolist(), strict=True)

    def spelling(self, number: int) -> str:
        """How a piece is spelled."""
        spelling = self._met.get(number)
        if spelling is None:
            spelling = self._content[self._breaks[number] + 1 : self._breaks[number + 1]].decode()
            self._met[number] = spelling
        return spelling

    def first_characters(self, numbers: NDArray[np.integer]) -> Integers:
        """The code points that pieces begin with, 0 for one without characters: int64 (n,)."""
        begins = self._breaks[numbers] + 1
        codes = np.frombuffer(self._content, dtype=np.uint8)
        first, *others = (codes[begins + place].astype(np.int64) for place in range(4))
        # UTF-8: the head of the first byte tells how many there are, those that follow bear six bits each.
        size = 1 + (first >= 0xC0).astype(np.int64) + (first >= 0xE0) + (first >= 0xF0)
        found = np.where(size == 1, first, first & (0xFF >> (size + 1)))
        for place, code in enumerate(others, start=2):
            found = np.where(size >= place, found << 6 | code & 0x3F, found)
        return np.where(self._breaks[numbers + 1] > begins, found, 0)

    @cached_property
    def spellings(self) -> list[str]:
        """How all are spelled."""
        return self._content[self._breaks[0] + 1 : self._breaks[-1]].decode().split("\n")

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """The log probabilities of all pieces, float64 (n,)."""
        return self._scores.astype(np.float64)

    def scores_of(self, pieces: Integers) -> NDArray[np.float64]:
        """Those of some, float64 (m,)."""
        return self._scores[pieces].astype(np.float64)

    @cached_property
    def least_score(self) -> float:
        """The lowest log probability."""
        return float(self._scores.min())

    @cached_property
    def most_bytes(self) -> int:
        """Of the longest piece."""
        return int(np.diff(self._breaks).max()) - 1

    def longest(self) -> dict[str, int]:
        """By first character, the length of the longest piece that begins with it."""
        longest: dict[str, int] = {}
        for spelling in self.spellings:
            if len(spelling) > longest.get(spelling[:1], 0):
                longest[spelling[0]] = len(spelling)
        return longest

    def numbers(self, spellings: Sequence[str]) -> list[int]:
        """The piece with each spelling, -1 where none has it."""
        names = [spelling.encode() for spelling in spellings]
        lengths = np.fromiter(map(len, names), dtype=np.int64, count=len(names))
        text = Bytes(b"".join(names) + bytes(WORD))
        found: list[int] = self.find(text, np.cumsum(lengths) - lengths, lengths).tolist()
        return found

    def find(self, text: Bytes, begins: Integers, lengths: Integers) -> Integers:
        """The pieces that stretches of a text are, -1 for one that is none: int64 (m,). begins, lengths: in bytes."""
        likely, keys, numbers, firsts = self._table
        asked = text.keys(begins, lengths)
        found = np.full(len(begins), -1)
        # Four of five stretches are no pieces and end here (Bloom 1970, with one hash).
        waiting = np.flatnonzero(likely[asked >> LIKELY_SHIFT])
        asked = asked[waiting]
        groups = _group(asked).astype(np.int64)
        at, first = firsts[groups + 1] - 1, firsts[groups]
        # From the end of each group on, so that of equal spellings the last is met first.
        while len(waiting):
            alike = np.flatnonzero(keys[at] == asked)
            pieces, stretches = numbers[at[alike]], waiting[alike]
            same = self._are(pieces, text, begins[stretches], lengths[stretches])
            found[stretches[same]] = pieces[same]
            at -= 1
            left = at >= first
            left[alike[same]] = False
            waiting, asked, at, first = waiting[left], asked[left], at[left], first[left]
        return found

    def _are(self, pieces: Integers, text: Bytes, begins: Integers, lengths: Integers) -> NDArray[np.bool_]:
        """Whether pieces are spelled as stretches of a text, byte by byte."""
        own = self._breaks[pieces] + 1
        left = self._breaks[pieces + 1] - own
        same: NDArray[np.bool_] = left == lengths
        going_on = np.flatnonzero(same)
        read = 0
        while len(going_on):
            rest = left[going_on] - read
            alike = self._bytes.word(own[going_on] + read, rest) == text.word(begins[going_on] + read, rest)
            same[going_on] = alike
            going_on = going_on[alike & (rest > WORD)]
            read += WORD
        return same

    @cached_property
    def _bytes(self) -> Bytes:
        return Bytes(self._content)

    @cached_property
    def _table(self) -> tuple[NDArray[np.bool_], Keys, Integers, Integers]:
        """By the first bits of a hash, whether a piece has it; the hashes of the pieces, group after group; the piece
        that each is of, ascending within a group; where each group begins, and the end."""
        keys = np.empty(len(self), dtype=np.uint64)
        likely = np.zeros(1 << LIKELY_BITS, dtype=np.bool_)
        sizes = np.zeros(1 << GROUP_BITS, dtype=np.int64)
        for begin in range(0, len(self), BLOCK):
            breaks = self._breaks[begin : begin + BLOCK + 1]
            block = self._bytes.keys(breaks[:-1] + 1, breaks[1:] - breaks[:-1] - 1)
            keys[begin : begin + BLOCK] = block
            likely[block >> LIKELY_SHIFT] = True
            sizes += np.bincount(_group(block), minlength=len(sizes))
        order = np.argsort(_group(keys), kind="stable")
        return likely, keys[order], order, np.concatenate(([0], np.cumsum(sizes)))


def _group(keys: Keys) -> NDArray[np.uint16]:
    return (keys >> np.uint64(64 - GROUP_BITS)).astype(np.uint16)
