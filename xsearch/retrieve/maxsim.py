"""How well each word of a query is met by the best word of a passage.

With q̂_i the unit vector of query word i, and a passage's word d_j the sum of its pieces' vectors e_p, whose lengths
are the pieces' weights, taken as if they stood at right angles to each other (cosines then need nothing of a word but
its pieces, and rankings were the same as with the sum's own length):

    s(i, j) = min(1, Σ_p q̂_i · e_p / √(Σ_p |e_p|²))        p over the pieces of word j
    m(i, d) = max_j max(0, (s(i, j) − τ) / (1 − τ))

Everything is computed in whole numbers up to s: pieces and query in 8 bits (every dot product below 2^24, which float32
holds), products in steps of 2^-16. So neither the order of sums nor the company a passage is scored in changes a bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray
from xsearch.retrieve.forward import Forward, Numbers

FLOOR = 0.25
"""τ: a lower cosine says nothing. Between .2 and .3 alike on three collections (eval/results)."""
STEP = 1 << 16
_LARGEST = 127
BLOCK = 1024


class PieceTable(Protocol):
    """Vectors of pieces, in an encoder's hands."""

    def token_integers(self, tokens: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int8], FloatArray]:
        """Rows of whole numbers (n, d), |x| ≤ 127, and float32 (n,) what to multiply each row with for its vector."""

    def begins_word(self, tokens: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Which pieces begin a word, bool (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryWords:
    """A query's words. integers: float32 (q, d), whole numbers up to 127. factors: float64 (q,), what a row is to be
    multiplied with for the word's unit vector. weights: float32 (q,), the length of the word's vector."""

    integers: FloatArray
    factors: NDArray[np.float64]
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.weights)

    def take(self, words: IntArray) -> QueryWords:
        """These words of it."""
        return QueryWords(self.integers[words], self.factors[words], self.weights[words])


def query_words(table: PieceTable, pieces: Numbers, word_starts: IntArray) -> QueryWords:
    """The words of a query: word i is ``pieces[word_starts[i]:word_starts[i + 1]]``. One without a vector
    has weight 0."""
    rows, scales = table.token_integers(pieces)
    vectors = np.add.reduceat(rows * scales[:, None].astype(np.float64), word_starts[:-1], axis=0)
    lengths = np.sqrt((vectors * vectors).sum(axis=1))
    largest = np.abs(vectors).max(axis=1)
    safe = np.where(largest > 0, largest, 1.0)
    integers = np.rint(vectors * (_LARGEST / safe)[:, None]).astype(np.float32)
    factors = np.where(lengths > 0, safe / _LARGEST / np.where(lengths > 0, lengths, 1.0), 0.0)
    return QueryWords(integers, factors, lengths.astype(np.float32))


def piece_products(table: PieceTable, query: QueryWords, tokens: Numbers) -> tuple[NDArray[np.int32], IntArray]:
    """What pieces give to words that hold them, in whole numbers: int32 (q, n), q̂_i · e_p in steps of 2^-16; and
    int64 (n,), |e_p|² in steps of 2^-32."""
    products = np.empty((len(query), len(tokens)), dtype=np.int32)
    squares = np.empty(len(tokens), dtype=np.int64)
    factors = query.factors * STEP
    for start in range(0, len(tokens), BLOCK):
        part = slice(start, start + BLOCK)
        rows, scales = table.token_integers(tokens[part])
        wide = rows.astype(np.float32)
        dots = (query.integers @ wide.T).astype(np.float64)
        products[:, part] = np.rint(dots * factors[:, None] * scales)
        lengths = np.einsum("nd,nd->n", wide, wide).astype(np.float64)
        squares[part] = np.rint(lengths * np.square(scales.astype(np.float64) * STEP))
    return products, squares


def matches(table: PieceTable, query: QueryWords, passages: Forward) -> FloatArray:
    """m(i, d) for every query word and passage, float32 (q, n); 0 for a passage without words."""
    similar = word_similarities(table, query, passages.word_starts, passages.pieces)
    return best_of(similar, passages.starts, passages.entries)


def word_similarities(table: PieceTable, query: QueryWords, word_starts: Numbers, pieces: Numbers) -> FloatArray:
    """max(0, (s − τ) / (1 − τ)) of every query word and word, float32 (q, w)."""
    if len(pieces) == 0:
        return np.zeros((len(query), len(word_starts) - 1), dtype=np.float32)
    tokens, places = _distinct(pieces)
    products, squares = piece_products(table, query, tokens)
    begins = word_starts[:-1].astype(np.int64)
    # Not less than one step, so that a word of pieces without vectors meets nothing instead of dividing by zero.
    lengths = np.sqrt(np.maximum(np.add.reduceat(squares[places], begins), 1).astype(np.float64))
    sums = np.add.reduceat(products[:, places], begins, axis=1)
    return floored(sums, lengths)


def floored(sums: NDArray[np.int32], lengths: NDArray[np.float64]) -> FloatArray:
    """max(0, (min(1, sum / length) − τ) / (1 − τ)), float32, of sums (q, w) and lengths (w,)."""
    similar = (sums * (1.0 / lengths)).astype(np.float32)
    similar -= np.float32(FLOOR)
    similar *= np.float32(1 / (1 - FLOOR))
    similarities: FloatArray = np.clip(similar, 0.0, 1.0, out=similar)
    return similarities


def best_of(similar: FloatArray, starts: IntArray, entries: Numbers) -> FloatArray:
    """For each passage the largest of its entries' columns: float32 (q, n) of similar (q, w)."""
    best = np.zeros((len(similar), len(starts) - 1), dtype=np.float32)
    held = np.flatnonzero(np.diff(starts))
    if len(held):
        best[:, held] = np.maximum.reduceat(similar.take(entries, axis=1), starts[held], axis=1)
    return best


def _distinct(pieces: Numbers) -> tuple[IntArray, IntArray]:
    """The numbers that occur, ascending, and the place of each element among them; without sorting."""
    occurs = np.zeros(int(pieces.max()) + 1, dtype=np.bool_)
    occurs[pieces] = True
    tokens = np.flatnonzero(occurs)
    place = np.empty(len(occurs), dtype=np.int64)
    place[tokens] = np.arange(len(tokens))
    return tokens, place[pieces]
