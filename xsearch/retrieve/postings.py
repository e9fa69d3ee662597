"""A segment of weighted postings: for every term, the passages that hold it and what it weighs in each.

One file, all integers little-endian, every array at a multiple of 8 bytes:

    bytes 0-7     magic 58 53 50 4f 53 54 00 01 (XSPOST, 0, version 1)
    bytes 8-47    int64: passages n, terms v, postings p, blocks b, bytes of a weight w (1, 2 or 4)
    numbers       uint32 (n,)     passage numbers, ascending, less that of the segment's first
    lengths       uint32 (n,)     of each passage: where nothing else is said, the sum of its postings' weights
    terms         uint32 (v,)     ascending
    starts        uint32 (v + 1,) the postings of term i are those from starts[i] to starts[i + 1]
    totals        uint64 (v,)     sum of the weights of each term
    rows          uint16 (p,)     for each posting of a term, ascending, which of the n passages
    weights       uintW (p,)
    maxima        uintW (b,)      largest weight in each block of 128 postings of a term, term after term

A segment holds at most 65,536 passages, so that a row takes two bytes and what is summed over them stays in a core's
cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IndexDamaged, IntArray
from xsearch.core.mapped import mapped

MAGIC = b"XSPOST\x00\x01"
ROWS = 1 << 16
"""Most passages of a segment."""
BLOCK = 128
"""Postings of a term whose largest weight is kept."""

Weights = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Postings:
    """The arrays of a segment, as the module's docstring names them; `numbers` are whole passage numbers, int64."""

    numbers: IntArray
    lengths: NDArray[np.uint32]
    terms: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    totals: NDArray[np.uint64]
    rows: NDArray[np.uint16]
    weights: Weights
    maxima: Weights

    @cached_property
    def sizes(self) -> IntArray:
        """How many passages hold each term, int64 (v,)."""
        starts = self.starts.astype(np.int64)
        return starts[1:] - starts[:-1]

    @cached_property
    def block_starts(self) -> IntArray:
        """Where the blocks of each term begin, int64 (v + 1,)."""
        return np.concatenate(([0], np.cumsum(-(-self.sizes // BLOCK))))

    def places(self, terms: NDArray[np.integer]) -> IntArray:
        """Where each of `terms` stands among the segment's, -1 where it does not, int64."""
        if not len(self.terms):
            return np.full(len(terms), -1, dtype=np.int64)
        place = self.terms.searchsorted(terms.astype(np.uint32))
        np.minimum(place, len(self.terms) - 1, out=place)
        place[self.terms[place] != terms] = -1
        return place

    def counts(self, terms: NDArray[np.integer]) -> tuple[IntArray, IntArray]:
        """In how many passages each term stands, and the sum of its weights there; int64 both."""
        passages, weights = np.zeros((2, len(terms)), dtype=np.int64)
        place = self.places(terms)
        held = np.flatnonzero(place >= 0)
        passages[held] = self.sizes[place[held]]
        weights[held] = self.totals[place[held]]
        return passages, weights


def weigh_terms(
    numbers: IntArray,
    terms: NDArray[np.integer],
    sizes: IntArray,
    weights: NDArray[np.integer],
    lengths: IntArray | None = None,
) -> Postings:
    """Postings of terms with weights given, above 0, no term twice in a passage; otherwise as `count_tokens`. lengths:
    of the passages, int64 (n,), where they are not the sums of the weights."""
    rows = np.repeat(np.arange(len(numbers), dtype=np.int64), sizes)
    order = np.lexsort((rows, terms))
    found, first = np.unique(terms[order], return_index=True)
    starts = np.append(first, len(order))
    return assemble(numbers, found.astype(np.int64), starts, rows[order], weights[order], lengths)


def count_tokens(numbers: IntArray, tokens: NDArray[np.integer], sizes: IntArray) -> Postings:
    """Postings of bags of tokens, weighing a term by how often it stands in a passage.

    numbers: int64 (n,), ascending, at most `ROWS`. tokens: of all passages, in order. sizes: int64 (n,), how many of
    them each passage has.
    """
    rows = np.repeat(np.arange(len(numbers), dtype=np.int64), sizes)
    keys, weights = np.unique(tokens.astype(np.int64) * ROWS + rows, return_counts=True)
    terms, first = np.unique(keys // ROWS, return_index=True)
    return assemble(numbers, terms, np.append(first, len(keys)), keys % ROWS, weights)


def assemble(
    numbers: IntArray,
    terms: IntArray,
    starts: IntArray,
    rows: IntArray,
    weights: NDArray[np.integer],
    lengths: NDArray[np.integer] | None = None,
) -> Postings:
    """Postings with what follows from rows and weights: totals, maxima, and lengths where none are given."""
    if lengths is None:
        lengths = np.bincount(rows, weights=weights, minlength=len(numbers)).astype(np.int64)
    largest = int(weights.max(initial=0))
    kind = np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.uint32
    narrow: Weights = weights.astype(kind)
    sizes = np.diff(starts)
    blocks = -(-sizes // BLOCK)
    ordinal = np.arange(blocks.sum()) - np.repeat(np.cumsum(blocks) - blocks, blocks)
    firsts = np.repeat(starts[:-1], blocks) + ordinal * BLOCK
    return Postings(
        numbers,
        lengths.astype(np.uint32),
        terms.astype(np.uint32),
        starts.astype(np.uint32),
        np.add.reduceat(weights, starts[:-1]).astype(np.uint64) if len(terms) else np.zeros(0, np.uint64),
        rows.astype(np.uint16),
        narrow,
        np.maximum.reduceat(narrow, firsts) if len(firsts) else narrow,
    )


def merge_postings(segments: Sequence[Postings]) -> Postings:
    """One segment of several whose passages follow each other; at most `ROWS` in all.

    A term's postings of one segment come after those of the segments before, so each is copied to its place once.
    """
    terms = np.unique(np.concatenate([segment.terms for segment in segments])).astype(np.int64)
    places = [np.searchsorted(terms, segment.terms) for segment in segments]
    counts = [segment.sizes for segment in segments]
    sizes = np.zeros(len(terms), dtype=np.int64)
    for place, count in zip(places, counts, strict=True):
        sizes[place] += count
    starts = np.concatenate(([0], np.cumsum(sizes)))
    rows = np.empty(starts[-1], dtype=np.int64)
    weights = np.empty(starts[-1], dtype=np.int64)
    free, before = starts[:-1].copy(), 0
    for segment, place, count in zip(segments, places, counts, strict=True):
        target = np.repeat(free[place] - segment.starts[:-1], count) + np.arange(len(segment.rows))
        rows[target] = segment.rows.astype(np.int64) + before
        weights[target] = segment.weights
        free[place] += count
        before += len(segment.numbers)
    numbers = np.concatenate([segment.numbers for segment in segments])
    return assemble(numbers, terms, starts, rows, weights, np.concatenate([segment.lengths for segment in segments]))


def serialised(postings: Postings) -> Iterator[bytes]:
    """The content of a segment's file, in pieces."""
    width = postings.weights.dtype.itemsize
    sizes = len(postings.numbers), len(postings.terms), len(postings.rows), len(postings.maxima), width
    yield MAGIC + np.array(sizes, dtype="<i8").tobytes()
    offsets = (postings.numbers - postings.numbers[:1]).astype("<u4")
    for array in (offsets, postings.lengths, postings.terms, postings.starts, postings.totals):
        yield _padded(array)
    for array in (postings.rows, postings.weights, postings.maxima):
        yield _padded(array)


def map_postings(path: Path, first: int, passages: int) -> Postings:
    """Map the file of a segment of so many passages, whose first has the number `first`.

    Raises `IndexDamaged` when the file is missing or its sizes do not fit.
    """
    try:
        whole = mapped(path)
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{path}: {error}: run `xsearch check --repair`") from error
    damage = IndexDamaged(f"{path} does not hold the postings of {passages} passages: run `xsearch check --repair`")
    if len(whole) < 48 or whole[:8].tobytes() != MAGIC:
        raise damage
    n, v, p, b, width = whole[8:48].view("<i8").tolist()
    weight = {1: "u1", 2: "<u2", 4: "<u4"}.get(width)
    if weight is None or n != passages or n > ROWS or min(v, p, b) < 0:
        raise damage
    layout = [("<u4", n), ("<u4", n), ("<u4", v), ("<u4", v + 1), ("<u8", v), ("<u2", p), (weight, p), (weight, b)]
    at, arrays = 48, []
    for kind, count in layout:
        size = np.dtype(kind).itemsize * count
        arrays.append((at, size, kind))
        at += -(-size // 8) * 8
    if at != len(whole):
        raise damage
    offsets, lengths, terms, starts, totals, rows, weights, maxima = (
        whole[begin : begin + size].view(kind) for begin, size, kind in arrays
    )
    found = Postings(offsets.astype(np.int64) + first, lengths, terms, starts, totals, rows, weights, maxima)
    ordered = np.all(found.sizes >= 0) and starts[0] == 0 and starts[-1] == p
    if not ordered or found.block_starts[-1] != b:
        raise damage
    return found


def _padded(array: NDArray[Any]) -> bytes:
    content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return content + bytes(-len(content) % 8)
