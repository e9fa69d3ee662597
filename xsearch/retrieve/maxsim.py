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
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray, QueryPieces
from xsearch.core.extras import have
from xsearch.retrieve.forward import Forward, Numbers

FLOOR = 0.25
"""τ: a lower cosine says nothing. Between .2 and .3 alike on three collections (eval/results)."""
STEP = 1 << 16
_LARGEST = 127
BLOCK = 1024
"""Pieces compared at once: as many as stay in a processor's cache."""
MOST_PIECES = 1 << 24
"""More than any vocabulary has: a larger number is damage."""


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
    """The words of a query: word i is ``pieces[word_starts[i]:word_starts[i + 1]]``. One without a vector has
    weight 0."""
    rows, scales = table.token_integers(pieces)
    vectors = np.add.reduceat(rows * scales[:, None].astype(np.float64), word_starts[:-1], axis=0)
    lengths = np.sqrt((vectors * vectors).sum(axis=1))
    largest = np.abs(vectors).max(axis=1)
    safe = np.where(largest > 0, largest, 1.0)
    integers = np.rint(vectors * (_LARGEST / safe)[:, None]).astype(np.float32)
    factors = np.where(lengths > 0, safe / _LARGEST / np.where(lengths > 0, lengths, 1.0), 0.0)
    return QueryWords(integers, factors, lengths.astype(np.float32))


def word_bounds(table: PieceTable, pieces: QueryPieces) -> IntArray:
    """Where the words of a text begin among its pieces, and their number at the end, int64 (w + 1,). A word also ends
    where something stands between two pieces. pieces: at least one."""
    begins = table.begins_word(pieces.tokens)
    begins[0] = True
    begins[1:] |= pieces.starts[1:] > pieces.ends[:-1]
    return np.append(np.flatnonzero(begins), len(begins))


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """Passages ready to be compared. begins: int64 (w,), where their words begin. tokens: int64, their distinct pieces,
    ascending. least: float32 (w,), a word with no greater product with a word of the query is below τ."""

    passages: Forward
    begins: IntArray
    tokens: IntArray
    least: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Vectors of pieces. tokens: int64 (n,). integers: int8 (n, d), those of the table's columns that hold anything.
    scales: float32 (n,). columns: int64 (d,)."""

    tokens: IntArray
    integers: NDArray[np.int8]
    scales: FloatArray
    columns: IntArray


class Comparison:
    """Compares words of queries with words of passages. compiled: `compiled_loops`, None for NumPy alone; both give the
    same to the last bit. Safe to share between threads."""

    def __init__(self, table: PieceTable, compiled: ModuleType | None = None) -> None:
        self.table, self.compiled = table, compiled
        self.decoded: Decoded | None = None
        self._squares = np.zeros(0, dtype=np.int64)

    def hold(self, tokens: IntArray) -> None:
        """Keep the vectors of these pieces, int64 (n,), distinct, as the table gives them: every query to come is
        compared with all of them at once. A byte a number, whatever the number of passages."""
        parts = [self.table.token_integers(tokens[start : start + BLOCK]) for start in range(0, len(tokens), BLOCK)]
        # An encoder may fill rows up with columns of zeros.
        columns = np.flatnonzero(np.any([rows.any(axis=0) for rows, _ in parts], axis=0))
        integers = np.concatenate([rows.take(columns, axis=1) for rows, _ in parts])
        self.decoded = Decoded(tokens, integers, np.concatenate([scales for _, scales in parts]), columns)

    def asked(self, query: QueryWords) -> Asked:
        """The comparison for one query."""
        return Asked(self, query)

    def ready(self, passages: Forward) -> Ready:
        """The passages with what of a comparison does not depend on the query."""
        begins = passages.word_starts[:-1].astype(np.int64)
        if not len(begins):
            return Ready(passages, begins, begins, np.zeros(0, np.float32))
        tokens = distinct(passages.pieces)
        squares = np.add.reduceat(self.squares(tokens).take(passages.pieces), begins)
        # A little below τ, and float32: what reaches it is compared as exactly as ever.
        return Ready(passages, begins, tokens, (0.999 * FLOOR * np.sqrt(squares.astype(np.float64))).astype(np.float32))

    def squares(self, tokens: IntArray) -> IntArray:
        """|e_p|² of pieces in steps of 2^-32, at least one, so that a piece without a vector meets nothing and divides
        by nothing; remembered, 0 where not yet known."""
        squares = _with_room(self._squares, tokens)
        new = tokens[squares[tokens] == 0]
        for start in range(0, len(new), BLOCK):
            part = new[start : start + BLOCK]
            rows, scales = self.table.token_integers(part)
            wide = rows.astype(np.float32)
            lengths = np.einsum("nd,nd->n", wide, wide) * np.square(scales.astype(np.float64) * STEP)
            squares[part] = np.maximum(np.rint(lengths), 1)
        self._squares = squares
        return squares


class Asked:
    """A query being compared: its products with pieces are computed once. For one thread."""

    def __init__(self, comparison: Comparison, query: QueryWords) -> None:
        self.query = query
        self._comparison, self._compiled = comparison, comparison.compiled
        self._products = np.zeros((len(query), 0), dtype=np.int32)
        self._known = np.zeros(0, dtype=np.bool_)
        if (held := comparison.decoded) is not None:
            self._make_room(held.tokens)
            self._fill(held.tokens, query.integers.take(held.columns, axis=1), held.integers, held.scales)

    def matches(self, passages: Forward | Ready) -> FloatArray:
        """m(i, d) for every query word and passage, float32 (q, n); 0 for a passage without words. Raises IndexError
        for a piece that the table lacks."""
        ready = passages if isinstance(passages, Ready) else self._comparison.ready(passages)
        best = np.zeros((len(self.query), ready.passages.passages), dtype=np.float32)
        meeting = ready.passages.keep(self.reaching(ready))
        if not meeting.words:
            return best
        similar = self.word_similarities(meeting.word_starts, meeting.pieces)
        if self._compiled is not None:
            self._compiled.best_of(similar, meeting.starts, meeting.entries, best)
        else:
            held = np.flatnonzero(np.diff(meeting.starts))
            columns = similar.take(meeting.entries, axis=1)
            best[:, held] = np.maximum.reduceat(columns, meeting.starts[held], axis=1)
        return best

    def reaching(self, ready: Ready) -> NDArray[np.bool_]:
        """Which words of the passages some word of the query may meet, bool (w,): none that is left out does.

        A word's product with any word of the query is at most the sum of its pieces' largest: few words reach τ even
        so, and only they are compared.
        """
        if not ready.passages.words:
            return np.zeros(0, dtype=np.bool_)
        self._multiply(ready.tokens)
        largest = np.maximum(self._products.max(axis=0), 0).astype(np.float32)
        if self._compiled is None:
            return np.add.reduceat(largest.take(ready.passages.pieces), ready.begins) > ready.least
        reach = np.empty(len(ready.begins), dtype=np.bool_)
        self._compiled.reaching(largest, ready.passages.pieces, ready.begins, ready.least, reach)
        return reach

    def word_similarities(self, word_starts: Numbers, pieces: Numbers) -> FloatArray:
        """max(0, (s − τ) / (1 − τ)) of every query word and word, float32 (q, w), w at least 1."""
        begins = word_starts[:-1].astype(np.int64)
        squares = self._prepared(pieces)
        if self._compiled is not None:
            sums = np.empty((len(self.query), len(begins)), dtype=np.int32)
            self._compiled.word_sums(self._products, pieces, begins, sums)
        else:
            sums = np.add.reduceat(self._products.take(pieces, axis=1), begins, axis=1)
        return _floored(sums, np.add.reduceat(squares.take(pieces), begins))

    def _prepared(self, pieces: Numbers) -> IntArray:
        """See to it that the products with `pieces` are known, int32 (q, vocabulary), q̂_i · e_p in steps of 2^-16; the
        pieces' squares."""
        tokens = distinct(pieces)
        self._multiply(tokens)
        return self._comparison.squares(tokens)

    def _multiply(self, tokens: IntArray) -> None:
        self._make_room(tokens)
        tokens = tokens[~self._known[tokens]]
        for start in range(0, len(tokens), BLOCK):
            part = tokens[start : start + BLOCK]
            self._fill(part, self.query.integers, *self._comparison.table.token_integers(part))

    def _fill(self, tokens: IntArray, integers: FloatArray, rows: NDArray[np.int8], scales: FloatArray) -> None:
        """Note the products with these pieces. integers: the query's, in the columns of `rows`."""
        factors = self.query.factors * STEP
        if self._compiled is not None:
            self._compiled.multiply(integers.astype(np.int8), factors, rows, scales, tokens, self._products)
        else:
            for start in range(0, len(tokens), BLOCK):
                part = slice(start, start + BLOCK)
                dots = (rows[part].astype(np.float32) @ integers.T).T
                self._products[:, tokens[part]] = np.rint(dots * factors[:, None] * scales[part])
        self._known[tokens] = True

    def _make_room(self, tokens: IntArray) -> None:
        self._known = _with_room(self._known, tokens)
        if len(self._known) > self._products.shape[1]:
            products = np.empty((len(self.query), len(self._known)), dtype=np.int32)
            products[:, : self._products.shape[1]] = self._products
            self._products = products


def compiled_loops() -> ModuleType | None:
    """The module of compiled loops, None where numba is not installed (`pip install 'xsearch-clir[fast]'`)."""
    if not have("numba"):
        return None
    from xsearch.retrieve import late_numba

    return late_numba


def distinct(pieces: Numbers) -> IntArray:
    """The pieces that occur, ascending. Raises IndexError for one that no vocabulary has."""
    occurs = _with_room(np.zeros(0, dtype=np.bool_), pieces)
    occurs[pieces] = True
    return np.flatnonzero(occurs)


def _floored(sums: NDArray[np.int32], squares: IntArray) -> FloatArray:
    """max(0, (min(1, sum / length) − τ) / (1 − τ)), float32, of sums (q, w) and squared lengths (w,)."""
    similar = (sums * (1.0 / np.sqrt(squares.astype(np.float64)))).astype(np.float32)
    similar -= np.float32(FLOOR)
    similar *= np.float32(1 / (1 - FLOOR))
    similarities: FloatArray = np.clip(similar, 0.0, 1.0, out=similar)
    return similarities


def _with_room(held: NDArray[Any], tokens: Numbers) -> NDArray[Any]:
    """The array, or a longer one that begins with it, zeros after, with a place for each of `tokens`."""
    size = int(tokens.max(initial=0)) + 1
    if size <= len(held):
        return held
    if size > MOST_PIECES:
        raise IndexError(f"no vocabulary has a piece {size - 1}")
    return np.concatenate((held, np.zeros(size + size // 4 - len(held), dtype=held.dtype)))
