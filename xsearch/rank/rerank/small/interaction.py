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
from typing import NamedTuple

import numpy as np

from xsearch.core import FloatArray, IntArray, QueryPieces, Translations
from xsearch.core.order import distinct
from xsearch.encode import PieceEncoder
from xsearch.rank.rerank.small.held import Held, block_bests, word_sums

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
    sums = word_sums(held, _products(asked, held))
    sums /= np.maximum(np.sqrt(sums[:, -1:]), np.float32(1e-9))
    best = np.ascontiguousarray(block_bests(held, sums)[:, :-1].T)
    best -= np.float32(FLOOR)
    best *= np.float32(1 / (1 - FLOOR))
    return np.clip(best, 0.0, 1.0, out=best)


def _products(asked: Asked, held: Held) -> FloatArray:
    """q̂_i · e_p of every piece held and every query word, and |e_p|² behind them, float32 (p, q + 1)."""
    count, vectors = len(held.rows), np.ascontiguousarray(asked.vectors.T)
    products = np.empty((count, len(asked) + 1), dtype=np.float32)
    for begin in range(0, count, ROWS):
        rows = held.rows[begin : begin + ROWS].astype(np.float32)
        products[begin : begin + ROWS, :-1] = rows @ vectors
        np.einsum("nd,nd->n", rows, rows, out=products[begin : begin + ROWS, -1])
    products *= held.scales[:, None]
    products[:, -1] *= held.scales
    return products


def _translated(
    asked: Asked, held: Held, translations: Mapping[str, Translations], groups: Sequence[str]
) -> FloatArray:
    """The best t of every query word in every block, float32 (q, b)."""
    best = np.zeros((len(asked), len(held.blocks)), dtype=np.float32)
    known = [group for group in dict.fromkeys(groups) if group in translations]
    if not known:
        return best
    entries = _entries([translations[group] for group in known], asked.pieces, held)
    number = {group: place for place, group in enumerate(known)}
    found = _standing(entries, held, np.array([number.get(group, len(known)) for group in groups]))
    # Of each word and piece of the query the greatest probability.
    count = len(asked.pieces)
    pairs, _, place = distinct(found.words * count + found.pieces)
    greatest = np.zeros(len(pairs), dtype=np.float32)
    np.maximum.at(greatest, place, found.probabilities)
    words, pieces = np.divmod(pairs, count)
    owners = np.searchsorted(asked.words, pieces, side="right") - 1
    first = np.flatnonzero(np.diff(words * len(asked) + owners, prepend=-1))
    if len(first):
        said = np.add.reduceat(greatest * asked.shares[pieces], first)
        blocks = np.searchsorted(held.blocks, words[first], side="right") - 1
        np.maximum.at(best.reshape(-1), owners[first] * len(held.blocks) + blocks, said)
    return best


class _Entries(NamedTuple):
    """Translations of the query's pieces: of which one, int64, the piece that it is, as a row of `Held` in its
    language's stretch, and how probable it is. stretches: how many languages there are."""

    pieces: IntArray
    columns: IntArray
    probabilities: FloatArray
    stretches: int


class _Standing(NamedTuple):
    """Translations where they stand: in which word, int64, of which piece of the query, and how probable they are."""

    words: IntArray
    pieces: IntArray
    probabilities: FloatArray


def _standing(entries: _Entries, held: Held, stretches: IntArray) -> _Standing:
    """Every entry in every place where its piece stands in a text of its language. stretches: int64 (n,), of each text
    its language's, one more than there are for a language without translations."""
    width = len(held.rows)
    order = np.argsort(entries.columns, kind="stable")
    columns = entries.columns[order]
    first = np.flatnonzero(np.diff(columns, prepend=-1))
    sizes = np.diff(first, append=len(columns))
    # By language and piece, which of the distinct columns it is, from 1 on.
    column = np.zeros((entries.stretches + 1) * width, dtype=np.int32)
    column[columns[first]] = np.arange(1, len(first) + 1)
    which = column.take(held.places + np.repeat(stretches * width, np.diff(held.starts)))
    places = np.flatnonzero(which)
    which = which[places] - 1
    counts = sizes[which]
    at = order[np.arange(counts.sum()) + np.repeat(first[which] - np.cumsum(counts) + counts, counts)]
    words = np.repeat(np.searchsorted(held.words, places, side="right") - 1, counts)
    return _Standing(words, entries.pieces[at], entries.probabilities[at])


def _entries(translations: Sequence[Translations], pieces: IntArray, held: Held) -> _Entries:
    """The translations that occur. pieces: the query's that count; they are numbered by their places there."""
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
    return _Entries(owners[there], columns[here] + stretches[there], values, len(translations))
