"""How well each word of a query is met by each passage of a list: by vectors, and by translation.

With q̂_i the unit vector of query word i, e_p those of the pieces p of a passage's word j, and p(p | r) what the
translation tables say of piece r of the query word, whose weight is w_r:

    s(i, j) = min(1, Σ_p q̂_i · e_p / √(Σ_p |e_p|²))        as in late interaction (Khattab and Zaharia 2020)
    t(i, j) = Σ_r w_r max_p p(p | r) / Σ_r w_r               as in structured queries (Darwish and Oard 2003)

A passage has of a query word the best of its words: anywhere, and within a window of words that stand together. Pieces
of the vocabulary are compared with the query once, however often they stand in the list; t is 0 but of the few words
that have a translation, which are looked for first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xsearch.core import FloatArray, IntArray, QueryPieces, Translations
from xsearch.core.order import distinct
from xsearch.encode import PieceEncoder
from xsearch.rank.rerank.small.held import Held

FLOOR = 0.2
"""A lower cosine says nothing; what is above is put between 0 and 1."""
QUERY_WORDS = 32
"""Words of a query that are compared: the weightiest."""
ROWS = 512
"""Pieces compared at a time: as floats they stay in a core's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A query's words. vectors: float32 (q, d), of length 1, in the numbers of `token_integers`. weights: float32 (q,),
    what each says. pieces: int64 (r,), places of the query's pieces that belong to these words. words: int64 (q,),
    where each word begins among `pieces`. shares: float32 (r,), a piece's part of its word's weight."""

    vectors: FloatArray
    weights: FloatArray
    pieces: IntArray
    words: IntArray
    shares: FloatArray

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True, slots=True, eq=False)
class Met:
    """What n passages have of q words.

    similar, translated: float32 (q, n), the best of s, floored, and of t over all words of a passage; 0 for a passage
    without words. windows: float32 (q, b), the better of both in the window that begins with a block, which is that
    block and the next one of its passage.
    """

    similar: FloatArray
    translated: FloatArray
    windows: FloatArray


def asked_words(encoder: PieceEncoder, pieces: QueryPieces) -> Asked | None:
    """The query's weightiest words, None where none has a vector. A word ends where the next begins, or where
    something stands between two pieces."""
    if not len(pieces):
        return None
    begins = encoder.begins_word(pieces.tokens)
    begins[0] = True
    begins[1:] |= pieces.starts[1:] > pieces.ends[:-1]
    rows, scales = encoder.token_integers(pieces.tokens)
    vectors = np.add.reduceat(rows * scales[:, None], np.flatnonzero(begins), axis=0)
    weights = np.sqrt(np.einsum("qd,qd->q", vectors, vectors))
    kept = np.sort(np.argsort(-weights, kind="stable")[:QUERY_WORDS])
    kept = kept[weights[kept] > 0]
    if not len(kept):
        return None
    owners = np.cumsum(begins) - 1
    inside = np.flatnonzero(np.isin(owners, kept))
    sums = np.bincount(owners, weights=pieces.weights)
    return Asked(
        (vectors[kept] / weights[kept, None]).astype(np.float32),
        weights[kept].astype(np.float32),
        inside,
        np.searchsorted(owners[inside], kept),
        (pieces.weights[inside] / sums[owners[inside]]).astype(np.float32),
    )


def meet(asked: Asked, held: Held, translations: Mapping[str, Translations], groups: Sequence[str]) -> Met:
    """What each text has of the words asked for.

    translations: of the query's pieces, by language; of a language that is not there only vectors tell. groups: the
    language of each text.
    """
    similar, translated = _similar(asked, held), _translated(asked, held, translations, groups)
    return Met(_anywhere(similar, held), _anywhere(translated, held), _windows(np.maximum(similar, translated), held))


def _anywhere(blocks: FloatArray, held: Held) -> FloatArray:
    """The best of every text's blocks, float32 (q, n)."""
    best = np.zeros((len(blocks), len(held)), dtype=np.float32)
    spoken = np.flatnonzero(held.counts)
    if len(spoken):
        best[:, spoken] = np.maximum.reduceat(blocks, held.first[spoken], axis=1)
    return best


def _windows(blocks: FloatArray, held: Held) -> FloatArray:
    """The best of every block and the next one of its text, float32 (q, b)."""
    owners, windows = held.owners, blocks.copy()
    followed = np.flatnonzero(owners[1:] == owners[:-1])
    windows[:, followed] = np.maximum(blocks[:, followed], blocks[:, followed + 1])
    return windows


def _similar(asked: Asked, held: Held) -> FloatArray:
    """The best s of every query word in every block, floored, float32 (q, b)."""
    if not len(held.words):
        return np.zeros((len(asked), 0), dtype=np.float32)
    products, squares = _products(asked, held)
    sums = np.add.reduceat(products.take(held.places, axis=1), held.words, axis=1)
    lengths = np.sqrt(np.add.reduceat(squares.take(held.places), held.words))
    sums /= np.maximum(lengths, np.float32(1e-9))
    best = np.maximum.reduceat(sums, held.blocks, axis=1)
    best -= np.float32(FLOOR)
    best *= np.float32(1 / (1 - FLOOR))
    return np.clip(best, 0.0, 1.0, out=best)


def _products(asked: Asked, held: Held) -> tuple[FloatArray, FloatArray]:
    """q̂_i · e_p of every query word and every piece held, float32 (q, p), and |e_p|², float32 (p,)."""
    count, vectors = len(held.rows), np.ascontiguousarray(asked.vectors.T)
    products, squares = np.empty((count, len(asked)), dtype=np.float32), np.empty(count, dtype=np.float32)
    for begin in range(0, count, ROWS):
        rows = held.rows[begin : begin + ROWS].astype(np.float32)
        np.matmul(rows, vectors, out=products[begin : begin + ROWS])
        np.einsum("nd,nd->n", rows, rows, out=squares[begin : begin + ROWS])
    return np.ascontiguousarray(products.T) * held.scales, squares * np.square(held.scales)


def _translated(
    asked: Asked, held: Held, translations: Mapping[str, Translations], groups: Sequence[str]
) -> FloatArray:
    """The best t of every query word in every block, float32 (q, b)."""
    best = np.zeros((len(asked), len(held.blocks)), dtype=np.float32)
    known = [group for group in dict.fromkeys(groups) if group in translations]
    if not known:
        return best
    # A stretch of columns for each language, and one that stays empty for those that have no translations.
    width = len(held.rows)
    rows, columns, values = _entries([translations[group] for group in known], asked.pieces, held)
    used, _, place = distinct(columns)
    column = np.zeros((len(known) + 1) * width, dtype=np.int32)
    column[used] = np.arange(1, len(used) + 1)
    number = {group: place for place, group in enumerate(known)}
    stretches = np.array([number.get(group, len(known)) for group in groups])
    standing = column.take(held.places + np.repeat(stretches * width, np.diff(held.starts)))
    found = np.flatnonzero(standing)
    if not len(found):
        return best
    table = np.zeros((len(asked.pieces), len(used) + 1), dtype=np.float32)
    table[rows, place + 1] = values
    words, first = _runs(np.searchsorted(held.words, found, side="right") - 1)
    by_piece = np.maximum.reduceat(table.take(standing[found], axis=1), first, axis=1)
    by_word = np.add.reduceat(by_piece * asked.shares[:, None], asked.words, axis=0)
    blocks, first = _runs(np.searchsorted(held.blocks, words, side="right") - 1)
    best[:, blocks] = np.maximum.reduceat(by_word, first, axis=1)
    return best


def _runs(ascending: IntArray) -> tuple[IntArray, IntArray]:
    """Numbers that ascend, each once, and where each is first."""
    first = np.flatnonzero(np.diff(ascending, prepend=-1))
    return ascending[first], first


def _entries(
    translations: Sequence[Translations], pieces: IntArray, held: Held
) -> tuple[IntArray, IntArray, FloatArray]:
    """(place in `pieces`, row of `held` in the language's stretch of columns, probability) of the
    translations that occur."""
    starts = np.stack([known.starts for known in translations])
    sizes = starts[:, 1:] - starts[:, :-1]
    place = np.full(sizes.shape[1], -1)
    place[pieces] = np.arange(len(pieces))
    owners = np.repeat(np.tile(place, len(sizes)), sizes.ravel())
    stretches = np.repeat(np.arange(len(sizes)) * len(held.rows), sizes.sum(axis=1))
    tokens = np.concatenate([known.tokens for known in translations])
    there = np.flatnonzero((owners >= 0) & (tokens < len(held.place_of)))
    columns = held.place_of[tokens[there]]
    here = columns >= 0
    there = there[here]
    values = np.concatenate([known.probabilities for known in translations])[there]
    return owners[there], columns[here] + stretches[there], values
