"""From a stretch of a sentence to what translates it in another sentence, by the translation tables that ship.

PAXQA (Li and Callison-Burch 2023, "PAXQA: Generating Cross-lingual Question Answering Examples at Training Scale")
carries the answers of questions over word alignments of parallel text. Here the sentences are found in documents that
are comparable, and aligned by the HMM of `train.align` with its emissions read from the tables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, QueryPieces
from xsearch.encode import PieceEncoder
from xsearch.lang.translation import TranslationTables
from xsearch.train.align.hmm import Jumps, hmm_posteriors

LINK = 0.2
"""Posterior, of both directions multiplied, from which on two pieces are linked."""
NULL = 0.2
"""Probability that a piece has no partner, and what it is emitted with then."""
EMPTY_EMISSION = np.float32(1e-3)
SAME = np.float32(0.3)
"""What a piece emits itself with at least: pieces of names, which a table knows as the words they begin."""
MOST_STRETCH = 4
"""How many times as many pieces the other language may need."""


@dataclass(frozen=True, slots=True)
class Projected:
    """text[start:end] of the other sentence; confidence: the mean posterior of the linked pieces, 0 to 1."""

    start: int
    end: int
    confidence: float


@dataclass(frozen=True, eq=False)
class Alignment:
    """Two sentences in pieces and how they translate each other: links float32 (right, left), 0 to 1."""

    left: QueryPieces
    right: QueryPieces
    links: FloatArray

    def project(self, start: int, end: int) -> Projected | None:
        """What text[start:end] of the left sentence is in the right one, None where that is not clear.

        As a phrase pair of Koehn, Och and Marcu 2003 (section 3.1): the pieces linked to the stretch span one that no
        piece from outside is linked into; at least half of the stretch's weight must have a link.
        """
        inside = (self.left.starts >= start) & (self.left.ends <= end)
        linked = self.links >= LINK
        chosen = np.flatnonzero(linked[:, inside].any(axis=1))
        if not len(chosen):
            return None
        first, last = int(chosen[0]), int(chosen[-1])
        intruders = linked[first : last + 1][:, ~inside].any()
        weights = self.left.weights[inside]
        covered = weights[linked[:, inside].any(axis=0)].sum()
        too_long = last - first + 1 > MOST_STRETCH * int(inside.sum())
        if intruders or too_long or covered < weights.sum() / 2:
            return None
        confidence = float(self.links[chosen][:, inside].max(axis=1).mean())
        return Projected(int(self.right.starts[first]), int(self.right.ends[last]), round(confidence, 4))


def align(tables: TranslationTables, left: QueryPieces, right: QueryPieces, langs: tuple[str, str]) -> Alignment:
    """Align two sentences in the languages `langs`: the product of both directions' posteriors."""
    there = emissions(tables, left.tokens, right.tokens, *langs)
    back = emissions(tables, right.tokens, left.tokens, *reversed(langs))
    links: FloatArray = _posteriors(there) * _posteriors(back).T
    return Alignment(left, right, links)


def emissions(
    tables: TranslationTables, given: NDArray[np.integer], emitted: NDArray[np.integer], source: str, target: str
) -> FloatArray:
    """p(emitted piece | given piece) by the tables, but `SAME` at least for a piece that both have, float32 (emitted,
    given)."""
    given_pieces, columns = np.unique(given, return_inverse=True)
    emitted_pieces, rows = np.unique(emitted, return_inverse=True)
    matrix = np.zeros((len(emitted_pieces), len(given_pieces)), dtype=np.float32)
    found = tables.translate(given_pieces, source, [target]).get(target)
    if found is not None and len(emitted_pieces):
        owners = np.repeat(np.arange(len(given_pieces)), np.diff(found.starts))
        places = np.minimum(np.searchsorted(emitted_pieces, found.tokens), len(emitted_pieces) - 1)
        there = emitted_pieces[places] == found.tokens
        matrix[places[there], owners[there]] = found.probabilities[there]
    same = emitted_pieces[:, None] == given_pieces
    matrix[same] = np.maximum(matrix[same], SAME)
    probabilities: FloatArray = matrix[np.ix_(rows, columns)]
    return probabilities


def _posteriors(emitted: FloatArray) -> FloatArray:
    """p(partner of each emitted piece), float32 (emitted, given)."""
    steps, states = emitted.shape
    empty = np.full((steps, 1), EMPTY_EMISSION, dtype=np.float32)
    expected = hmm_posteriors(
        emitted[:, None, :], empty, np.array([states]), np.array([steps]), np.ones(1, np.float32), Jumps.initial(), NULL
    )
    posteriors: FloatArray = expected.posteriors[:, 0, :]
    return posteriors


def sentence_pairs(
    tables: TranslationTables,
    encoder: PieceEncoder,
    texts: tuple[list[str], list[str]],
    langs: tuple[str, str],
    least: float,
) -> list[tuple[int, int, float]]:
    """Places of sentences of the two texts that translate each other: each is the other's best, and the score, the
    mean over both directions of how much of a sentence's weight the other translates, is `least` or more."""
    left, right = ([encoder.query_pieces(text) for text in side] for side in texts)
    if not left or not right:
        return []
    scores = (coverage(tables, left, right, *langs) + coverage(tables, right, left, *reversed(langs)).T) / 2
    best, back = scores.argmax(axis=1), scores.argmax(axis=0)
    return [
        (place, int(other), round(float(scores[place, other]), 4))
        for place, other in enumerate(best)
        if back[other] == place and scores[place, other] >= least
    ]


def coverage(
    tables: TranslationTables, queries: list[QueryPieces], texts: list[QueryPieces], source: str, target: str
) -> FloatArray:
    """Which share of each query's weight a text translates, Σ_i w_i min(1, Σ_{t in text} p(t | i)) / Σ_i w_i: float32
    (queries, texts)."""
    pieces = np.unique(np.concatenate([query.tokens for query in queries]))
    held = np.unique(np.concatenate([text.tokens for text in texts]))
    presence = np.stack([np.isin(held, text.tokens) for text in texts], axis=1).astype(np.float32)
    matches = np.minimum(emissions(tables, pieces, held, source, target).T @ presence, np.float32(1))
    rows = []
    for query in queries:
        weights = query.weights.astype(np.float32)
        shares = weights @ matches[np.searchsorted(pieces, query.tokens)]
        rows.append(shares / max(float(weights.sum()), 1e-6))
    shares_of_all: FloatArray = np.stack(rows)
    return shares_of_all
