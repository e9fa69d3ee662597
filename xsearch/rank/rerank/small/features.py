"""What the small reranker looks at: a row of numbers for each passage of a list, and how alike passages are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xsearch.core import FloatArray, Query
from xsearch.encode import PieceEncoder
from xsearch.lang import base_language
from xsearch.rank.rerank.protocol import RerankCandidate, passage_text
from xsearch.rank.rerank.small.held import Held, held_by, likeness
from xsearch.rank.rerank.small.interaction import Met, asked_words, meet

FEATURES = ("fused", "similar", "rare", "translated", "window", "lead", "least")
"""fused: ln(p / (1 − p)) of the score p that the retrievers gave together, which fair fusion puts between 0 and 1. With
m(i, d) the best similarity of word i in passage d, w_i what the word says, and v_i that by how rare it is in the list,

    v_i = w_i · ln((n + 1) / (Σ_d m(i, d)² + ½))

similar: Σ_i w_i m(i, d) / Σ_i w_i. rare: the same with v_i. translated: the same as `similar` of translations.
window: the greatest within a window of 32 words, weighted by w_i, and lead: within the first, weighted by v_i, of the
better of similarity and translation. least: the better of the two of the worst word that is no function word.
"""
LEAST_SCORE = 0.001
"""A fused score counts as at least that far from 0 and from 1."""
SPELLER = "names"
"""The retriever that goes by spelling. Its support is the part of a query's weight on words that no document has as
they are written."""
CONTENT = 0.9
"""Weight below which a word is an article, a preposition or the like."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A list of n passages. features: float32 (n, len(FEATURES)). spelled: float32 (n,). likeness: float32 (n, n), the
    cosine of two passages' vectors, 0 where it is negative or both are in one language: two languages' passages that
    say the same are one another's witnesses, of two in one language one may be the other's copy.

    What is romanised or misspelt has no meaning to compare: vectors and translations of its pieces are noise. With u
    the support of the retriever that goes by spelling, n(d) its score of a passage, and k the part of the query that is
    to be gone by that way,

        k = u · (1 − Σ_i w_i max_d m(i, d) / Σ_i w_i)

    every feature but `fused` is multiplied by 1 − k, and `spelled` is k · n(d).
    """

    features: FloatArray
    spelled: FloatArray
    likeness: FloatArray


def measure(encoder: PieceEncoder, query: Query, passages: Sequence[RerankCandidate]) -> Measured:
    """The measurements of a list; zeros but for `fused` where the encoder knows no word of the query."""
    count = len(passages)
    empty = (
        np.zeros((count, len(FEATURES)), np.float32),
        np.zeros(count, np.float32),
        np.zeros((count, count), np.float32),
    )
    found = Measured(*empty)
    fused = np.clip([passage.score for passage in passages], LEAST_SCORE, 1 - LEAST_SCORE)
    found.features[:, 0] = np.log(fused / (1 - fused))
    pieces = encoder.query_pieces(query.text)
    asked = asked_words(encoder, pieces)
    unknown = max((passage.supports.get(SPELLER, 0.0) for passage in passages), default=0.0)
    found.spelled[:] = [passage.scores.get(SPELLER, 0.0) * unknown for passage in passages]
    if asked is None or not count:
        return found
    # Translations are of the pieces of the index: of another vocabulary they would be of other words.
    same = query.pieces is not None and np.array_equal(query.pieces.tokens, pieces.tokens)
    groups = [base_language(passage.lang) for passage in passages]
    held = held_by(encoder, list(map(passage_text, passages)))
    met = meet(asked, held, query.translations if same else {}, groups)
    best = np.maximum(met.similar, met.translated).max(axis=1)
    unmet = 1.0 - float(_mean(best, asked.weights))
    found.spelled[:] *= unmet
    found.features[:, 1:] = (1.0 - unknown * unmet) * np.stack(_measured(met, held, asked.weights), axis=1)
    found.likeness[:] = likeness(held, groups)
    return found


def _measured(met: Met, held: Held, weights: FloatArray) -> list[FloatArray]:
    passages = met.similar.shape[1]
    either = np.maximum(met.similar, met.translated)
    by_rarity = [_rarity(weights, met.similar), _rarity(weights, either)]
    content = weights >= CONTENT if (weights >= CONTENT).any() else weights > 0
    spoken = np.flatnonzero(held.counts)
    window, lead = np.zeros(passages, dtype=np.float32), np.zeros(passages, dtype=np.float32)
    if len(spoken):
        window[spoken] = np.maximum.reduceat(_mean(met.windows, weights), held.first[spoken])
        lead[spoken] = _mean(met.windows[:, held.first[spoken]], by_rarity[1])
    return [
        _mean(met.similar, weights),
        _mean(met.similar, by_rarity[0]),
        _mean(met.translated, weights),
        window,
        lead,
        either[content].min(axis=0),
    ]


def _rarity(weights: FloatArray, met: FloatArray) -> FloatArray:
    frequencies = np.square(met).sum(axis=1)
    rare: FloatArray = weights * np.log((met.shape[1] + 1) / (frequencies + np.float32(0.5)))
    return rare


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    # Both are finite, but BLAS computes in lanes beyond the end of a row too, and raises flags for what is there.
    with np.errstate(invalid="ignore"):
        mean: FloatArray = (weights @ values) / max(float(weights.sum()), 1e-9)
    return mean
