"""Stretches of text between white space, found and looked up many at a time.

A dictionary's look-up waits for memory three or four times, one after the other; here all stretches of many texts are
hashed together, and numpy's gathers wait for many at once. (`take` gathers in a third of the time that an index needs.)
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.encode.keys import NONE, SPREAD, Integers, Keys, KeyTable

PERIOD = 64
"""Places of a stretch that weigh differently in its hash, a power of two; it has more only if it is no word."""
LAST_SPACE = 0x3000
"""The last code point that is white space."""

Characters = tuple[NDArray[np.uint32], Integers, Integers]
"""The code points of stretches end to end, the place of each in its stretch, and where each stretch starts."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """What `str.split` finds in texts, end to end. line: the texts, one a line. codes: its code points, uint32. begins,
    lengths: where each stretch stands in it. counts: how many each text has. All int64. keys: a hash of each. known:
    their `characters`, if there is no need to gather them again."""

    line: str
    codes: NDArray[np.uint32]
    begins: Integers
    lengths: Integers
    counts: Integers
    keys: Keys
    known: Characters | None = None

    @staticmethod
    def of(texts: Sequence[str]) -> Stretches:
        """The stretches of `texts`."""
        line = "\n".join(texts)
        codes = np.frombuffer(line.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        inside = np.zeros(len(codes) + 2, dtype=np.bool_)
        inside[1:-1] = _is_word().take(codes)
        begins, ends = np.ascontiguousarray(np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2).T)
        sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + 1
        counts = np.diff(np.searchsorted(begins, np.concatenate(([0], np.cumsum(sizes)))))
        lengths = ends - begins
        characters = _characters(codes, begins, lengths)
        return Stretches(line, codes, begins, lengths, counts, _hashes(characters, lengths), characters)

    def take(self, numbers: Integers) -> Stretches:
        """Some of the stretches, as one text's."""
        begins, lengths, keys = self.begins[numbers], self.lengths[numbers], self.keys[numbers]
        return Stretches(self.line, self.codes, begins, lengths, np.array([len(numbers)], dtype=np.int64), keys)

    def texts(self) -> list[str]:
        """The stretches as strings."""
        spans = zip(self.begins.tolist(), (self.begins + self.lengths).tolist(), strict=True)
        return [self.line[begin:end] for begin, end in spans]

    def characters(self) -> Characters:
        """Those of all stretches."""
        return self.known or _characters(self.codes, self.begins, self.lengths)

    def distinct(self) -> tuple[Integers, Integers]:
        """The places of stretches of which each is another and none is missing; and for every stretch, which of those
        it is."""
        _, first, same = np.unique(self.keys, return_index=True, return_inverse=True)
        alike = first[same]
        if np.array_equal(self.lengths, self.lengths[alike]):
            codes, offsets, _ = self.characters()
            if np.array_equal(codes, self.codes.take(np.repeat(self.begins[alike], self.lengths) + offsets)):
                return first, same
        # Two have one hash.
        places: dict[str, int] = {}
        same = np.array([places.setdefault(text, len(places)) for text in self.texts()], dtype=np.int64)
        # Numbers were given in order: where a new one stands, the highest so far grows.
        return np.flatnonzero(np.diff(np.maximum.accumulate(same), prepend=-1)), same


def _characters(codes: NDArray[np.uint32], begins: Integers, lengths: Integers) -> Characters:
    starts = np.cumsum(lengths) - lengths
    offsets = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    return codes.take(np.repeat(begins, lengths) + offsets), offsets, starts


class StretchTable:
    """Numbers of stretches in the order they were added. A stretch is found by its hash and then compared, character by
    character; one whose hash another has is never found, so that hostile text costs time and no more."""

    def __init__(self) -> None:
        self._numbers = KeyTable()
        self._codes = np.zeros(1024, dtype=np.uint32)
        self._starts = np.zeros(1024, dtype=np.int64)
        self.count = 0

    @property
    def characters(self) -> int:
        """Characters of all stretches together."""
        return int(self._starts[self.count])

    def find(self, stretches: Stretches) -> Integers:
        """The number of each stretch, -1 for one that is not there."""
        if not len(stretches.begins):
            return np.zeros(0, dtype=np.int64)
        numbers = self._numbers.find(stretches.keys)
        first = self._starts.take(numbers)
        alike = (numbers >= 0) & (self._starts.take(numbers + 1) - first == stretches.lengths)
        # Where the lengths differ, and where nothing was found, any character will do to compare with.
        codes, offsets, starts = stretches.characters()
        same = self._codes.take(np.repeat(first, stretches.lengths) + offsets, mode="clip") == codes
        if not same.all():
            alike &= np.logical_and.reduceat(same, starts)
        return np.where(alike, numbers, -1)

    def add(self, stretches: Stretches) -> Integers:
        """Give new stretches, each another, the next numbers; returns these."""
        count = len(stretches.begins)
        given = np.arange(self.count, self.count + count)
        codes = stretches.characters()[0]
        used = self.characters
        self._codes = with_room(self._codes, used + len(codes))
        self._codes[used : used + len(codes)] = codes
        self._starts = with_room(self._starts, self.count + count + 1)
        self._starts[self.count + 1 : self.count + count + 1] = used + np.cumsum(stretches.lengths)
        self.count += count
        keys, first = np.unique(stretches.keys, return_index=True)
        new = np.flatnonzero(self._numbers.find(keys) < 0)
        self._numbers.add(keys[new], given[first[new]])
        return given


def with_room(held: NDArray[Any], size: int) -> NDArray[Any]:
    """The array, or a longer one that begins with it, of at least `size` elements."""
    if size <= len(held):
        return held
    # Memory that nothing was written to is not taken: growing costs what is copied, the rest when it is used.
    grown = np.zeros(max(size, 2 * len(held)), dtype=held.dtype)
    grown[: len(held)] = held
    return grown


def _hashes(characters: Characters, lengths: Integers) -> Keys:
    """A number for each stretch: its code points times odd random factors by place, added up modulo 2^64, and mixed."""
    codes, offsets, starts = characters
    factors = _factors().take(offsets & (PERIOD - 1))
    sums = np.add.reduceat(codes * factors, starts) if len(starts) else np.zeros(0, np.uint64)
    sums += lengths.astype(np.uint64) * SPREAD
    sums ^= sums >> np.uint64(32)
    # The one value that marks a free slot.
    return np.where(sums == NONE, np.uint64(0), sums)


@cache
def _factors() -> Keys:
    # Steele, Lea and Flood 2014 (SplitMix64): NumPy's generators take longer to import than a question's words to find.
    mixed = np.arange(1, PERIOD + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31)) | np.uint64(1)


@cache
def _is_word() -> NDArray[np.bool_]:
    """By code point, whether `str.split` leaves it in a stretch."""
    is_word = np.ones(sys.maxunicode + 1, dtype=np.bool_)
    is_word[[code for code in range(LAST_SPACE + 1) if chr(code).isspace()]] = False
    return is_word
