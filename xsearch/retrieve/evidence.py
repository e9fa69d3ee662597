"""What of a passage each word or token of a query met: what a hit of late interaction rests on."""

from __future__ import annotations

from dataclasses import dataclass

from xsearch.core import IntArray, LocatedTokens, QueryPieces
from xsearch.retrieve.maxsim import Comparison, query_words, word_bounds


@dataclass(frozen=True, slots=True)
class Met:
    """A word or token of a query and that of a passage which is nearest to it.

    asked: its span in the query's text; found: the other's in the passage's, code points both. similarity: m(i, d) of
    `retrieve.maxsim`, or the cosine of two tokens; above 0, at most 1. weight: of a word, the length of its vector,
    what it says; of a token, whose vectors all have one length, 1.
    """

    asked: tuple[int, int]
    found: tuple[int, int]
    similarity: float
    weight: float


def met_words(comparison: Comparison, query: QueryPieces, passage: QueryPieces) -> list[Met]:
    """What each word of a query met in a passage, in the query's order; words that met nothing are left out. Of equal
    words of the passage the first is named."""
    if not len(query) or not len(passage):
        return []
    asked, held = word_bounds(comparison.table, query), word_bounds(comparison.table, passage)
    words = query_words(comparison.table, query.tokens, asked)
    similar = comparison.asked(words).word_similarities(held, passage.tokens)
    best = similar.argmax(axis=1)
    return [
        Met(_span(query, asked, i), _span(passage, held, int(j)), float(similar[i, j]), float(words.weights[i]))
        for i, j in enumerate(best)
        if similar[i, j] > 0
    ]


def met_tokens(asked: LocatedTokens, held: LocatedTokens) -> list[Met]:
    """What each token of a query met in a passage, in the query's order: the token j of  max_j q_i · v_j.

    Left out are tokens that have no characters (markers, augmentation), and those that met such or nothing. Of equal
    tokens of the passage the first is named.
    """
    if not len(asked.vectors) or not len(held.vectors):
        return []
    similar = asked.vectors @ held.vectors.T
    best = similar.argmax(axis=1)
    return [
        Met(_ends(asked.spans[i]), _ends(held.spans[j]), min(1.0, float(similar[i, j])), 1.0)
        for i, j in enumerate(best)
        if asked.spans[i, 0] >= 0 and held.spans[j, 0] >= 0 and similar[i, j] > 0
    ]


def _ends(span: IntArray) -> tuple[int, int]:
    return int(span[0]), int(span[1])


def _span(pieces: QueryPieces, bounds: IntArray, word: int) -> tuple[int, int]:
    return int(pieces.starts[bounds[word]]), int(pieces.ends[bounds[word + 1] - 1])
