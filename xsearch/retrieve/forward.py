"""Which words every passage holds, a word being a sequence of pieces; and the same inverted: which passages hold every
word.

Of one segment, a `Forward` has one form: the words are its own vocabulary, by descending number of passages that hold
them, then by length, then by pieces, so that what is read for a query lies together; a passage's entries are distinct
and ascend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IndexDamaged, IntArray

Numbers = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """Passages with their words.

    numbers: int64 (n,). starts: int64 (n + 1,), passage i holds ``entries[starts[i]:starts[i + 1]]``. entries: (e,),
    word numbers. word_starts: (w + 1,), word j is ``pieces[word_starts[j]:word_starts[j + 1]]``. pieces: (m,).
    """

    numbers: IntArray
    starts: IntArray
    entries: Numbers
    word_starts: Numbers
    pieces: Numbers

    @property
    def passages(self) -> int:
        """How many there are."""
        return len(self.numbers)

    @property
    def words(self) -> int:
        """The size of the vocabulary."""
        return len(self.word_starts) - 1

    def take(self, rows: IntArray) -> Forward:
        """These passages with the words that they hold, in the order of `rows`. Raises `IndexDamaged` where entries
        or pieces point nowhere."""
        held = np.zeros(self.words, dtype=np.bool_)
        try:
            starts, entries = slices(self.starts, self.entries, rows)
            held[entries] = True
            words = np.flatnonzero(held)
            word_starts, pieces = slices(self.word_starts, self.pieces, words)
        except IndexError as error:
            raise IndexDamaged(f"a list of words is damaged ({error}): run `xsearch check --repair`") from error
        place = np.empty(self.words, dtype=np.int64)
        place[words] = np.arange(len(words))
        return Forward(self.numbers[rows], starts, place[entries], word_starts, pieces)

    def keep(self, words: NDArray[np.bool_]) -> Forward:
        """The same passages with these words alone, bool (w,)."""
        chosen = np.flatnonzero(words)
        word_starts, pieces = slices(self.word_starts, self.pieces, chosen)
        place = np.cumsum(words) - 1
        entries = np.flatnonzero(words[self.entries])
        return Forward(
            self.numbers, np.searchsorted(entries, self.starts), place[self.entries[entries]], word_starts, pieces
        )


@dataclass(frozen=True, slots=True, eq=False)
class WordLists:
    """For every word of a segment, the rows of the passages that hold it, ascending: those of word j are
    ``rows[starts[j]:starts[j + 1]]``. numbers: int64 (n,), the passages of the rows."""

    numbers: IntArray
    starts: Numbers
    rows: Numbers

    def places(self, terms: IntArray) -> IntArray:
        """Where the list of each of these words stands: words are numbered by it."""
        return terms


def inverted(passages: Forward) -> WordLists:
    """The lists of a segment's words."""
    n = max(1, passages.passages)
    owners = np.repeat(np.arange(passages.passages), np.diff(passages.starts))
    # Sorted as one number: a stable argsort by word takes five times as long.
    keys = np.sort(passages.entries * np.int64(n) + owners)
    words, rows = np.divmod(keys, n)
    sizes = np.bincount(words, minlength=passages.words)
    return WordLists(passages.numbers, np.concatenate(([0], np.cumsum(sizes))), rows)


def forward(numbers: IntArray, starts: IntArray, pieces: Numbers, word_starts: IntArray) -> Forward:
    """Passages given as running text: passage i is words ``starts[i]:starts[i + 1]``, word j is pieces
    ``word_starts[j]:word_starts[j + 1]``."""
    return _arranged(numbers, starts, np.arange(len(word_starts) - 1), word_starts, pieces)


def joined(parts: Sequence[Forward]) -> Forward:
    """Segments one after the other as one."""
    whole = stacked(parts)
    return _arranged(whole.numbers, whole.starts, whole.entries, whole.word_starts, whole.pieces)


def stacked(parts: Sequence[Forward]) -> Forward:
    """Segments one after the other, the words of each kept apart."""
    words = np.cumsum([0, *(part.words for part in parts)])
    return Forward(
        np.concatenate([part.numbers for part in parts]),
        _chained([part.starts for part in parts]),
        np.concatenate([part.entries + first for part, first in zip(parts, words[:-1], strict=True)]),
        _chained([part.word_starts for part in parts]),
        np.concatenate([part.pieces for part in parts]),
    )


def slices(starts: Numbers, values: Numbers, rows: IntArray) -> tuple[IntArray, Numbers]:
    """The stretches ``values[starts[r]:starts[r + 1]]`` of these rows, joined, and where each begins in the result,
    int64 (rows + 1,). Raises IndexError where a stretch lies outside."""
    first = starts[rows].astype(np.int64)
    sizes = starts[rows + 1].astype(np.int64) - first
    if len(rows) and (sizes.min() < 0 or first.min() < 0 or (first + sizes).max() > len(values)):
        raise IndexError("a stretch lies outside")
    out = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(sizes, out=out[1:])
    return out, values[np.arange(out[-1]) + np.repeat(first - out[:-1], sizes)]


def _chained(starts: Sequence[Numbers]) -> IntArray:
    lasts = np.cumsum([0, *(int(part[-1]) for part in starts)])
    moved = [part[:-1].astype(np.int64) + last for part, last in zip(starts, lasts[:-1], strict=True)]
    return np.concatenate([*moved, lasts[-1:]])


def _arranged(numbers: IntArray, starts: IntArray, entries: Numbers, word_starts: Numbers, pieces: Numbers) -> Forward:
    """A `Forward` in its one form; words may come several times, in the vocabulary and in a passage."""
    first, same = distinct_words(word_starts, pieces)
    owners = np.repeat(np.arange(len(numbers)), np.diff(starts))
    # Sorted and compared: what np.unique does with a table instead takes twenty times as long.
    held = np.sort(owners * max(1, len(first)) + same[entries])
    held = held[np.diff(held, prepend=-1) > 0]
    owners, words = np.divmod(held, max(1, len(first)))
    order = np.argsort(-np.bincount(words, minlength=len(first)), kind="stable")
    place = np.empty(len(first), dtype=np.int64)
    place[order] = np.arange(len(first))
    held = np.sort(owners * max(1, len(first)) + place[words])
    owners, words = np.divmod(held, max(1, len(first)))
    kept_starts, kept = slices(word_starts, pieces, first[order])
    counts = np.bincount(owners, minlength=len(numbers))
    return Forward(numbers, np.concatenate(([0], np.cumsum(counts))), words, kept_starts, kept)


def distinct_words(word_starts: Numbers, pieces: Numbers) -> tuple[IntArray, IntArray]:
    """Which words are the same. Returns the place of one occurrence of each distinct word, by length and then by
    pieces, and for every word the number of its own among those.

    Piece by piece, a word's beginning is numbered among the beginnings of that length: the number of the beginning
    before and the next piece are one integer, so that equal words are equal integers.
    """
    begins = word_starts[:-1].astype(np.int64)
    lengths = word_starts[1:].astype(np.int64) - begins
    number = pieces[begins].astype(np.int64)
    longer = np.flatnonzero(lengths > 1)
    at = 1
    while len(longer):
        keys = (number[longer] << 32) | pieces[begins[longer] + at].astype(np.int64)
        number[longer] = np.unique(keys, return_inverse=True)[1]
        at += 1
        longer = longer[lengths[longer] > at]
    _, first, same = np.unique((lengths << 32) | number, return_index=True, return_inverse=True)
    return first, same
