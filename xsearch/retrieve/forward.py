"""One segment of the forward file: which words every passage holds, a word being a sequence of pieces.

    <lang>/<first>-<last>.words

All little-endian: a header (`HEADER`: magic, then as int64 the counts of passages n, entries e, words w, pieces m),
int64[n] passage numbers, ascending; int64[n + 1] where each passage's entries start; uint32[w + 1] where each word's
pieces start; uint32[m] pieces; e entries, numbers of words: uint16 where w is at most 65,536, else uint32.

The words are the segment's own vocabulary, by descending number of passages that hold them, so that what is read for
a query lies together; a passage's entries are distinct and ascend. The same passages give the same bytes, in whatever
portions they came.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IndexDamaged, IntArray

HEADER = struct.Struct("<8sqqqq")
MAGIC = b"XSWORD\x00\x01"
NARROW = 1 << 16

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

    def rows_of(self, numbers: IntArray) -> IntArray:
        """The rows of those of `numbers`, ascending, that lie within the segment's range. Raises `IndexDamaged` for
        one that it lacks."""
        if not self.passages:
            return np.zeros(0, dtype=np.int64)
        inside = numbers[(numbers >= self.numbers[0]) & (numbers <= self.numbers[-1])]
        rows: IntArray = np.searchsorted(self.numbers, inside)
        if np.any(self.numbers[rows] != inside):
            raise IndexDamaged("a list of words lacks a passage: run `xsearch check --repair`")
        return rows

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

    def packed(self) -> list[bytes]:
        """The file's content, in portions."""
        header = HEADER.pack(MAGIC, self.passages, len(self.entries), self.words, len(self.pieces))
        arrays = (
            self.numbers.astype("<i8"),
            self.starts.astype("<i8"),
            self.word_starts.astype("<u4"),
            self.pieces.astype("<u4"),
            self.entries.astype(entry_type(self.words)),
        )
        return [header, *(array.tobytes() for array in arrays)]


def entry_type(words: int) -> np.dtype[Any]:
    """The type of entries in a segment of so many words."""
    return np.dtype("<u2") if words <= NARROW else np.dtype("<u4")


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


def map_forward(path: Path, entry: dict[str, int]) -> Forward:
    """Map a segment. Raises `IndexDamaged` when it is missing or not what `entry` says."""
    n, e, w, m = (entry[name] for name in ("passages", "entries", "words", "pieces"))
    shape: list[tuple[np.dtype[Any], int]] = [
        (np.dtype("<i8"), n),
        (np.dtype("<i8"), n + 1),
        (np.dtype("<u4"), w + 1),
        (np.dtype("<u4"), m),
    ]
    shape.append((entry_type(w), e))
    try:
        whole = np.asarray(np.memmap(path, np.uint8, mode="r"))
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{path}: {error}: run `xsearch check --repair`") from error
    size = HEADER.size + sum(kind.itemsize * count for kind, count in shape)
    if len(whole) != size or whole[: HEADER.size].tobytes() != HEADER.pack(MAGIC, n, e, w, m):
        raise IndexDamaged(f"{path} does not hold the words of {n} passages: run `xsearch check --repair`")
    arrays, at = [], HEADER.size
    for kind, count in shape:
        arrays.append(whole[at : at + kind.itemsize * count].view(kind))
        at += kind.itemsize * count
    numbers, starts, word_starts, pieces, entries = arrays
    if starts[-1] != e or word_starts[-1] != m:
        raise IndexDamaged(f"{path} is damaged: run `xsearch check --repair`")
    return Forward(numbers, starts, entries, word_starts, pieces)


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
