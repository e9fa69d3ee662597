"""The texts of a list as pieces, as words, and as blocks of words; and how alike two of them are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray
from xsearch.encode import PieceEncoder
from xsearch.encode.pooling import unit_rows

BLOCK = 16
"""Words of a block, the last of a text has what is left: half a window."""
LONG = 16
"""Pieces of a word that are added up together with those of others; what a longer one has beyond, by itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What n texts hold: p pieces, each in some places of the texts, w words, b blocks.

    rows: int8 (p, d) and scales: float32 (p,), the pieces' vectors in the numbers of `token_integers`. place_of: int64,
    by a piece's number, up to the last that occurs, its row, -1 for one that does not occur. places: int64 (m,), of
    each piece in the texts' order, its row. starts: int64 (n + 1,), where each text begins among `places`. words: int64
    (w,), where each word does. blocks: int64 (b,), where each block begins among `words`. first: int64 (n,), where each
    text's blocks begin. counts: int64 (n,), how many each has.
    """

    rows: NDArray[np.int8]
    scales: FloatArray
    place_of: IntArray
    places: IntArray
    starts: IntArray
    words: IntArray
    blocks: IntArray
    first: IntArray
    counts: IntArray

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def owners(self) -> IntArray:
        """int64 (b,), the text of each block."""
        return np.repeat(np.arange(len(self)), self.counts)


def held_by(encoder: PieceEncoder, texts: Sequence[str]) -> Held:
    """What the texts hold, as the encoder reads them."""
    bags = encoder.pieces(texts)
    words = np.arange(len(bags.tokens)) if bags.words is None else bags.words
    # What np.unique sorts for is looked up.
    occurs = np.zeros(int(bags.tokens.max(initial=0)) + 1, dtype=np.bool_)
    occurs[bags.tokens] = True
    distinct = np.flatnonzero(occurs)
    place_of = np.full(len(occurs), -1)
    place_of[distinct] = np.arange(len(distinct))
    rows, scales = encoder.token_integers(distinct)
    return Held(rows, scales, place_of, place_of.take(bags.tokens), bags.starts, words, *_blocks(words, bags.starts))


def _blocks(words: IntArray, starts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """`Held.blocks`, `first`, `counts`."""
    word_starts = np.searchsorted(words, starts)
    counts = -(-np.diff(word_starts) // BLOCK)
    first = np.cumsum(counts) - counts
    owners = np.repeat(np.arange(len(counts)), counts)
    return word_starts[owners] + BLOCK * (np.arange(len(owners)) - first[owners]), first, counts


def word_sums(held: Held, values: FloatArray) -> FloatArray:
    """The sum of each word's pieces in their order, float32 (w, c), given numbers of the pieces, float32 (p, c).

    The second pieces of all words that have one are added at once, then the third ones: most words have one or two.
    """
    sizes = np.diff(held.words, append=len(held.places))
    capped = np.minimum(sizes, LONG + 1).astype(np.int8)
    order = np.argsort(-capped, kind="stable")
    begins, sizes = held.words[order], sizes[order]
    # Of words by descending size, how many have more pieces than 0, 1, … LONG.
    counts = np.cumsum(np.bincount(capped, minlength=LONG + 2)[::-1])[::-1][1:].tolist()
    sums = values.take(held.places.take(begins), axis=0)
    for nth, count in enumerate(counts[1:LONG], start=1):
        sums[:count] += values.take(held.places.take(begins[:count] + nth), axis=0)
    for word in range(counts[LONG]):
        rest = held.places[begins[word] + LONG : begins[word] + sizes[word]]
        sums[word] += values.take(rest, axis=0).sum(axis=0)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return sums.take(place, axis=0)


def block_bests(held: Held, values: FloatArray) -> FloatArray:
    """The greatest of each block's words, float32 (b, c), given numbers of the words, float32 (w, c)."""
    sizes = np.diff(held.blocks, append=len(held.words))
    # What a short block lacks is filled up with its last word.
    words = held.blocks[:, None] + np.minimum(np.arange(BLOCK), sizes[:, None] - 1)
    bests: FloatArray = values.take(words, axis=0).max(axis=1)
    return bests


def likeness(held: Held, groups: Sequence[str]) -> FloatArray:
    """float32 (n, n), the cosine of two texts' vectors, the sums of their pieces'; 0 where it is negative and for texts
    of one language. groups: the language of each."""
    count = len(held)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if len(numbers) < 2:
        return np.zeros((count, count), dtype=np.float32)
    vectors = _vectors(held)
    alike: FloatArray = np.maximum(vectors @ vectors.T, 0.0)
    number = np.array([numbers[group] for group in groups])
    alike[number[:, None] == number] = 0.0
    return alike


def _vectors(held: Held) -> FloatArray:
    """The vectors of the texts, float32 (n, d), of length 1, or 0 for one without pieces."""
    weights = held.scales.take(held.places)
    sums = np.empty((len(held), held.rows.shape[1]), dtype=np.float32)
    # A text at a time: its rows stay in a core's cache.
    for text, (begin, end) in enumerate(pairwise(held.starts.tolist())):
        rows = held.rows.take(held.places[begin:end], axis=0).astype(np.float32)
        np.matmul(weights[begin:end], rows, out=sums[text])
    return unit_rows(sums)
