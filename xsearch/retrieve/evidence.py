"""Which word of a passage each word of a query met: what a hit of late interaction rests on."""

from __future__ import annotations

from dataclasses import dataclass

from xsearch.core import IntArray, QueryPieces
from xsearch.retrieve.maxsim import Comparison, query_words, word_bounds


@dataclass(frozen=True, slots=True)
class Met:
    """A word of a query and the word of a passage that is nearest to it.

    asked: its span in the query's text; found: the other's in the passage's, code points both. similarity: m(i, d) of
    `retrieve.maxsim`, above 0, at most 1. weight: the length of the query word's vector, what it says.
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


def _span(pieces: QueryPieces, bounds: IntArray, word: int) -> tuple[int, int]:
    return int(pieces.starts[bounds[word]]), int(pieces.ends[bounds[word + 1] - 1])
