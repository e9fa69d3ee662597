"""One segment of the part `tokens` on disk: which words every passage holds, and which passages hold every word.

    <lang>/<first>-<last>.words

All little-endian, every array filled up with zeros to a multiple of 8 bytes: a header (`HEADER`: magic, then as int64
the counts of passages n, entries e, words w, pieces m); int64[n] passage numbers, ascending; int64[n + 1] where each
passage's entries start; int64[w + 1] where each word's rows start; uint32[w + 1] where each word's pieces start;
uint32[m] pieces; e entries, numbers of words, passage after passage; e rows, places of passages, word after word.
Entries are uint16 where w is at most 65,536, rows where n is, else uint32. The order of words is `Forward`'s: the same
passages give the same bytes, in whatever portions they came.

Version 1 has neither rows nor zeros between arrays; what it lacks is made when it is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IndexDamaged
from xsearch.core.mapped import mapped
from xsearch.retrieve.forward import Forward, WordLists, inverted

HEADER = struct.Struct("<8sqqqq")
MAGIC = b"XSWORD\x00\x02"
FIRST_MAGIC = b"XSWORD\x00\x01"
NARROW = 1 << 16

Entry = dict[str, int]
"""A segment in the state: first and last passage number, counts of passages, entries, words, pieces."""


@dataclass(frozen=True, eq=False)
class Words:
    """A segment. forward: the words of its passages. lists: the passages of its words."""

    forward: Forward
    stored: WordLists | None

    @cached_property
    def lists(self) -> WordLists:
        """For every word the passages that hold it. Raises `IndexDamaged` where entries point nowhere."""
        if self.stored is not None:
            return self.stored
        if self.forward.entries.max(initial=0) >= max(1, self.forward.words):
            raise IndexDamaged("a list of words is damaged: run `xsearch check --repair`")
        return inverted(self.forward)


def packed(made: Forward) -> Iterator[bytes]:
    """The content of a segment's file, in portions."""
    lists = inverted(made)
    yield HEADER.pack(MAGIC, made.passages, len(made.entries), made.words, len(made.pieces))
    arrays = made.numbers, made.starts, lists.starts, made.word_starts, made.pieces, made.entries, lists.rows
    layout = _layout(made.passages, len(made.entries), made.words, len(made.pieces))
    for array, (kind, _) in zip(arrays, layout, strict=True):
        content = array.astype(kind).tobytes()
        yield content + bytes(-len(content) % 8)


def map_words(path: Path, entry: Entry) -> Words:
    """Map a segment. Raises `IndexDamaged` when it is missing or not what `entry` says."""
    n, e, w, m = (entry[name] for name in ("passages", "entries", "words", "pieces"))
    try:
        whole = mapped(path)
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{path}: {error}: run `xsearch check --repair`") from error
    first = whole[: len(MAGIC)].tobytes() == FIRST_MAGIC
    layout, step = _layout(n, e, w, m), 8
    if first:
        layout, step = [layout[place] for place in (0, 1, 3, 4, 5)], 1
    arrays, at = [], HEADER.size
    for kind, count in layout:
        size = kind.itemsize * count
        arrays.append((at, size, kind))
        at += -(-size // step) * step
    header = HEADER.pack(FIRST_MAGIC if first else MAGIC, n, e, w, m)
    if len(whole) != at or whole[: HEADER.size].tobytes() != header:
        raise IndexDamaged(f"{path} does not hold the words of {n} passages: run `xsearch check --repair`")
    views: list[NDArray[Any]] = [whole[begin : begin + size].view(kind) for begin, size, kind in arrays]
    numbers, starts, *row_starts, word_starts, pieces, entries = views if first else views[:-1]
    bounds = [(starts, e), (word_starts, m), *((own, e) for own in row_starts)]
    if any(own[0] != 0 or own[-1] != last for own, last in bounds) or any(_falls(own) for own in row_starts):
        raise IndexDamaged(f"{path} is damaged: run `xsearch check --repair`")
    forward = Forward(numbers, starts, entries, word_starts, pieces)
    return Words(forward, None if first else WordLists(numbers, row_starts[0], views[-1]))


def _layout(n: int, e: int, w: int, m: int) -> list[tuple[np.dtype[Any], int]]:
    """Types and lengths of the arrays, in their order."""
    return [
        (np.dtype("<i8"), n),
        (np.dtype("<i8"), n + 1),
        (np.dtype("<i8"), w + 1),
        (np.dtype("<u4"), w + 1),
        (np.dtype("<u4"), m),
        (_narrow(w), e),
        (_narrow(n), e),
    ]


def _narrow(count: int) -> np.dtype[Any]:
    """The type of numbers below `count`."""
    return np.dtype("<u2") if count <= NARROW else np.dtype("<u4")


def _falls(starts: NDArray[Any]) -> bool:
    """Whether what loops run along is not in order."""
    return bool((np.diff(starts) < 0).any())
