"""How well each word of a query is met by each passage of a list: by vectors, and by translation.

With q̂_i the unit vector of query word i, e_p those of the pieces p of a passage's word j, and p(p | r) what the
translation tables say of piece r of the query word, whose weight is w_r:

    s(i, j) = min(1, Σ_p q̂_i · e_p / √(Σ_p |e_p|²))        as in late interaction (Khattab and Zaharia 2020)
    t(i, j) = Σ_r w_r max_p p(p | r) / Σ_r w_r               as in structured queries (Darwish and Oard 2003)

A passage has of a query word the best of its words: anywhere, and within a window of words that stand together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xsearch.core import FloatArray, IntArray, QueryPieces, Translations
from xsearch.encode import PieceEncoder
from xsearch.encode.pooling import sum_bags, unit_rows

FLOOR = 0.2
"""A lower cosine says nothing; what is above is put between 0 and 1."""
BLOCK = 16
"""Words of half a window."""
QUERY_WORDS = 32
"""Words of a query that are compared: the weightiest."""


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
    without words. vectors: float32 (n, d), each passage's, of length 1, or 0 for one without words. windows: float32
    (q, b), the better of s and t in window b. first: int64 (n,), where each passage's windows begin. counts: int64
    (n,), how many each has.
    """

    similar: FloatArray
    translated: FloatArray
    vectors: FloatArray
    windows: FloatArray
    first: IntArray
    counts: IntArray


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


def meet(
    encoder: PieceEncoder,
    asked: Asked,
    translations: Mapping[str, Translations],
    texts: Sequence[str],
    groups: Sequence[str],
) -> Met:
    """What each text has of the words asked for.

    translations: of the query's pieces, by language; of a language that is not there only vectors tell. groups: the
    language of each text.
    """
    held = _held(encoder, texts)
    best, most = (np.zeros((len(asked), len(texts)), dtype=np.float32) for _ in range(2))
    rows, scales = encoder.token_integers(held.distinct)
    vectors = rows * scales[:, None]
    spoken = np.flatnonzero(np.diff(held.word_starts))
    if not len(spoken):
        none = np.zeros(len(texts), dtype=np.int64)
        return Met(best, most, unit_rows(sum_bags(vectors, held.places, held.starts)), best[:, :0], none, none)
    similar = _similar(vectors, asked, held)
    translated = _translated(asked, held, translations, groups)
    best[:, spoken] = np.maximum.reduceat(similar, held.word_starts[spoken], axis=1)
    most[:, spoken] = np.maximum.reduceat(translated, held.word_starts[spoken], axis=1)
    summed = unit_rows(sum_bags(vectors, held.places, held.starts))
    return Met(best, most, summed, *_windows(np.maximum(similar, translated, out=similar), held.word_starts))


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Texts as pieces. distinct: int64, the pieces that occur, ascending. place_of: int64, by piece number, up to the
    last that occurs, its place in `distinct`, -1 for one that does not occur. places: int64 (m,), of each piece in the
    texts' order, that place. starts: int64 (n + 1,), where each text begins among `places`. words: int64
    (w,), where each word does. word_starts: int64 (n + 1,), where each text begins among `words`."""

    distinct: IntArray
    place_of: IntArray
    places: IntArray
    starts: IntArray
    words: IntArray
    word_starts: IntArray


def _held(encoder: PieceEncoder, texts: Sequence[str]) -> _Held:
    bags = encoder.pieces(texts)
    words = np.arange(len(bags.tokens)) if bags.words is None else bags.words
    # What np.unique sorts for is looked up.
    occurs = np.zeros(int(bags.tokens.max(initial=0)) + 1, dtype=np.bool_)
    occurs[bags.tokens] = True
    distinct = np.flatnonzero(occurs)
    place_of = np.full(len(occurs), -1)
    place_of[distinct] = np.arange(len(distinct))
    return _Held(distinct, place_of, place_of[bags.tokens], bags.starts, words, np.searchsorted(words, bags.starts))


def _similar(vectors: FloatArray, asked: Asked, held: _Held) -> FloatArray:
    """s(i, j), floored, of every query word and every word of every text, float32 (q, w)."""
    # BLAS takes half the time this way round.
    products = np.ascontiguousarray((vectors @ asked.vectors.T).T)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    sums = np.add.reduceat(products.take(held.places, axis=1), held.words, axis=1)
    lengths = np.sqrt(np.add.reduceat(squares.take(held.places), held.words))
    sums /= np.maximum(lengths, np.float32(1e-9))
    sums -= np.float32(FLOOR)
    sums *= np.float32(1 / (1 - FLOOR))
    return np.clip(sums, 0.0, 1.0, out=sums)


def _translated(
    asked: Asked, held: _Held, translations: Mapping[str, Translations], groups: Sequence[str]
) -> FloatArray:
    """t(i, j) of every query word and every word of every text, float32 (q, w)."""
    known = [group for group in dict.fromkeys(groups) if group in translations]
    if not known:
        return np.zeros((len(asked), len(held.words)), dtype=np.float32)
    # A stretch of columns for each language, and one of zeros for those that have no translations.
    width = len(held.distinct)
    table = np.zeros((len(asked.pieces), (len(known) + 1) * width), dtype=np.float32)
    rows, columns, values = _entries([translations[group] for group in known], asked.pieces, held)
    table[rows, columns] = values
    number = {group: place for place, group in enumerate(known)}
    stretches = np.array([number.get(group, len(known)) for group in groups])
    own = table.take(held.places + np.repeat(stretches * width, np.diff(held.starts)), axis=1)
    by_piece = np.maximum.reduceat(own, held.words, axis=1)
    found: FloatArray = np.add.reduceat(by_piece * asked.shares[:, None], asked.words, axis=0)
    return found


def _entries(
    translations: Sequence[Translations], pieces: IntArray, held: _Held
) -> tuple[IntArray, IntArray, FloatArray]:
    """(place in `pieces`, place in `held.distinct` in the language's stretch of columns, probability) of the
    translations that occur."""
    starts = np.stack([known.starts for known in translations])
    sizes = starts[:, 1:] - starts[:, :-1]
    place = np.full(sizes.shape[1], -1)
    place[pieces] = np.arange(len(pieces))
    owners = np.repeat(np.tile(place, len(sizes)), sizes.ravel())
    stretches = np.repeat(np.arange(len(sizes)) * len(held.distinct), sizes.sum(axis=1))
    tokens = np.concatenate([known.tokens for known in translations])
    there = np.flatnonzero((owners >= 0) & (tokens < len(held.place_of)))
    columns = held.place_of[tokens[there]]
    here = columns >= 0
    there = there[here]
    values = np.concatenate([known.probabilities for known in translations])[there]
    return owners[there], columns[here] + stretches[there], values


def _windows(met: FloatArray, starts: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
    """The best of every query word in stretches of two blocks, half overlapping; a text of one block is one window.
    `Met.windows`, `first`, `counts`."""
    counts = -(-np.diff(starts) // BLOCK)
    first = np.cumsum(counts) - counts
    owners = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(owners)) - first[owners]
    windows = np.maximum.reduceat(met, starts[owners] + BLOCK * within, axis=1)
    followed = np.flatnonzero(owners[1:] == owners[:-1])
    windows[:, followed] = np.maximum(windows[:, followed], windows[:, followed + 1])
    return windows, first, counts
