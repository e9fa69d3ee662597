"""Sentence pairs of two languages, and every pair of pieces that meets in one of them, numbered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray
from xsearch.train.bags import Bags, from_spans
from xsearch.train.tokenrows import TokenRows

LENGTHS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96, 128])
"""Lengths that sentences are padded to, so that many of about equal length are computed at once."""

BLOCK_CELLS = 1 << 19


@dataclass(frozen=True, eq=False)
class SentencePairs:
    """Translations of each other: sentence i of `left` and of `right`, in pieces of the encoder, and what it counts.

    weights: float32 (n,). rows: int64 (n,), the row of parallel text it comes from.
    """

    left: Bags
    right: Bags
    weights: FloatArray
    rows: IntArray

    def __len__(self) -> int:
        return len(self.weights)

    def take(self, numbers: IntArray) -> SentencePairs:
        """Some of them."""
        return SentencePairs(
            self.left.select(numbers), self.right.select(numbers), self.weights[numbers], self.rows[numbers]
        )


def sentence_pairs(
    table: TokenRows, left: NDArray[np.int64], right: NDArray[np.int64], row_weights: FloatArray, most_tokens: int
) -> SentencePairs:
    """All pairs of a text in a language of `left` and one of `right` (language numbers) within a row; a row with
    several shares its weight among them. Empty sentences and those of more than `most_tokens` pieces are left out:
    cut ones would lose what their translations kept."""
    sizes = np.diff(table.offsets)
    usable = (sizes > 0) & (sizes <= most_tokens) & (row_weights[table.row_of] > 0)
    lefts = np.flatnonzero(usable & np.isin(table.langs, left))
    rights = np.flatnonzero(usable & np.isin(table.langs, right))
    per_row = np.bincount(table.row_of[rights], minlength=len(table))
    first = np.cumsum(per_row) - per_row
    repeats = per_row[table.row_of[lefts]]
    a = np.repeat(lefts, repeats)
    ordinal = np.arange(len(a)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    b = rights[first[table.row_of[a]] + ordinal]
    rows = table.row_of[a]
    copies = np.bincount(rows, minlength=len(table))[rows]
    return SentencePairs(
        from_spans(table.tokens, table.offsets[a], table.offsets[a + 1]),
        from_spans(table.tokens, table.offsets[b], table.offsets[b + 1]),
        (row_weights[rows] / copies).astype(np.float32),
        rows,
    )


@dataclass(frozen=True, eq=False)
class Block:
    """Sentence pairs of about equal lengths.

    cells: int32 (J, n, I), the number of the pair of pieces at places j of `right` and i of `left`, 0 where either
    sentence is shorter. lefts, rights: int32 (n, I) and (n, J), pieces, local. left_sizes, right_sizes: int64 (n,).
    weights: float32 (n,).
    """

    cells: NDArray[np.int32]
    lefts: NDArray[np.int32]
    rights: NDArray[np.int32]
    left_sizes: IntArray
    right_sizes: IntArray
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class Corpus:
    """All blocks of two languages and their pairs of pieces.

    cells: int32, those of all blocks, one block after another (a block's are a view). left_pieces, right_pieces:
    int64, piece numbers, ascending; place 0 of each is padding. pair_left, pair_right: int32 (pairs,), pieces, local;
    pair 0 is padding.
    """

    cells: NDArray[np.int32]
    blocks: list[Block]
    left_pieces: IntArray
    right_pieces: IntArray
    pair_left: NDArray[np.int32]
    pair_right: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.pair_left)


def build_corpus(pairs: SentencePairs) -> Corpus:
    """Number the pieces and the pairs of pieces of `pairs`."""
    left_pieces, lefts = np.unique(pairs.left.tokens, return_inverse=True)
    right_pieces, rights = np.unique(pairs.right.tokens, return_inverse=True)
    shapes = list(_shapes(pairs))
    padded = []
    for numbers, most_left, most_right in shapes:
        a = _padded(lefts, pairs.left.starts, numbers, most_left)
        b = _padded(rights, pairs.right.starts, numbers, most_right)
        padded.append((a, b))
    width = len(right_pieces) + 1
    fits = (len(left_pieces) + 1) * width < 1 << 32
    sizes = np.cumsum([0, *(len(numbers) * most_left * most_right for numbers, most_left, most_right in shapes)])
    keys = np.zeros(sizes[-1] + 1, dtype=np.uint32 if fits else np.uint64)
    for (a, b), begin, end in zip(padded, sizes[:-1] + 1, sizes[1:] + 1, strict=True):
        keys[begin:end] = _keys(a, b, width).ravel()
    cells, unique = _numbered(keys)
    cells = cells[1:]
    blocks = [
        Block(
            cells[begin:end].reshape(b.shape[1], len(numbers), a.shape[1]),
            a,
            b,
            pairs.left.sizes[numbers],
            pairs.right.sizes[numbers],
            pairs.weights[numbers],
        )
        for (a, b), (numbers, _, _), begin, end in zip(padded, shapes, sizes[:-1], sizes[1:], strict=True)
    ]
    return Corpus(
        cells,
        blocks,
        np.concatenate(([-1], left_pieces)),
        np.concatenate(([-1], right_pieces)),
        (unique // width).astype(np.int32),
        (unique % width).astype(np.int32),
    )


def _shapes(pairs: SentencePairs) -> Iterator[tuple[IntArray, int, int]]:
    """(sentence pairs, padded left length, padded right length) of every block."""
    left = np.searchsorted(LENGTHS, pairs.left.sizes)
    right = np.searchsorted(LENGTHS, pairs.right.sizes)
    kinds = left * len(LENGTHS) + right
    order = np.argsort(kinds, kind="stable")
    starts = np.flatnonzero(np.diff(kinds[order], prepend=-1))
    for group in np.split(order, starts[1:]):
        kind = int(kinds[group[0]])
        most_left, most_right = int(LENGTHS[kind // len(LENGTHS)]), int(LENGTHS[kind % len(LENGTHS)])
        step = max(1, BLOCK_CELLS // (most_left * most_right))
        for begin in range(0, len(group), step):
            yield group[begin : begin + step], most_left, most_right


def _padded(tokens: IntArray, starts: IntArray, numbers: IntArray, most: int) -> NDArray[np.int32]:
    """Local pieces + 1 of sentences, (n, most), 0 behind their ends."""
    at = starts[numbers][:, None] + np.arange(most)
    inside = at < starts[numbers + 1][:, None]
    found: NDArray[np.int32] = np.where(inside, tokens[np.minimum(at, len(tokens) - 1)] + 1, 0).astype(np.int32)
    return found


def _keys(lefts: NDArray[np.int32], rights: NDArray[np.int32], width: int) -> IntArray:
    """A number for each pair of pieces, (J, n, I), 0 where either is padding."""
    a, b = lefts.astype(np.int64)[None, :, :], rights.T.astype(np.int64)[:, :, None]
    return np.where((a > 0) & (b > 0), a * width + b, 0)


def _numbered(keys: NDArray[np.unsignedinteger]) -> tuple[NDArray[np.int32], IntArray]:
    """The rank of every key among the different ones, and these, ascending."""
    # The first key is 0, so that padding, or nothing, is rank 0.
    order = np.argsort(keys)
    ordered = keys[order]
    new = np.empty(len(keys), dtype=np.bool_)
    new[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    ranks = np.empty(len(keys), dtype=np.int32)
    ranks[order] = np.cumsum(new, dtype=np.int32) - np.int32(1)
    return ranks, ordered[new].astype(np.int64)
