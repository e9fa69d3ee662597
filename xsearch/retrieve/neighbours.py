"""Which words of an index are met by the words of a query, and how near the passages that hold them come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray
from xsearch.retrieve.forward import Forward, slices, stacked
from xsearch.retrieve.maxsim import Asked, Comparison


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """The terms near to every word of a query: to word i, ``terms[starts[i]:starts[i + 1]]``, nearest last.

    starts: int64 (q + 1,). terms: int64 (n,). similar: float32 (n,), above 0.
    """

    starts: IntArray
    terms: IntArray
    similar: FloatArray


class Lists(Protocol):
    """For every term, the rows of the passages that hold it: those of the term at place i are
    ``rows[starts[i]:starts[i + 1]]``. numbers: int64 (n,), the passages of the rows."""

    @property
    def numbers(self) -> IntArray: ...  # noqa: D102
    @property
    def starts(self) -> NDArray[np.integer[Any]]: ...  # noqa: D102
    @property
    def rows(self) -> NDArray[np.integer[Any]]: ...  # noqa: D102

    def places(self, terms: IntArray) -> IntArray:
        """Where each of `terms` stands, -1 where it does not, int64."""


class Vocabulary:
    """All words of an index, ready to be compared with those of a query.

    segments: the index's; in an index of a million passages they have a million words, of a hundred thousand pieces.
    Raises IndexError for pieces that the table lacks.
    """

    def __init__(self, comparison: Comparison, segments: Sequence[Forward]) -> None:
        none = np.zeros(0, np.int64)
        words = stacked([Forward(none, np.zeros(1, np.int64), none, s.word_starts, s.pieces) for s in segments])
        self._ready = comparison.ready(words)
        self._firsts = np.cumsum([0, *(segment.words for segment in segments)])
        comparison.hold(self._ready.tokens)

    def near(self, asked: Asked) -> list[Near]:
        """For every segment its words that the query's words meet, with m(i, j) as similarity: all of them, so that
        what is summed from them is exact."""
        count, segments = len(asked.query), len(self._firsts) - 1
        words = np.flatnonzero(asked.reaching(self._ready))
        if not len(words):
            return [Near(np.zeros(count + 1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))] * segments
        vocabulary = self._ready.passages
        similar = asked.word_similarities(*slices(vocabulary.word_starts, vocabulary.pieces, words))
        asking, place = np.nonzero(similar)
        met, words = similar[asking, place], words[place]
        # By segment, word of the query and similarity, as one integer: positive floats keep their order as bits.
        segment = np.searchsorted(self._firsts, words, side="right") - 1
        group = segment * count + asking
        order = np.argsort((group << 32) | met.view(np.int32))
        met, words = met[order], (words - self._firsts[segment])[order]
        starts = np.concatenate(([0], np.cumsum(np.bincount(group, minlength=segments * count))))
        found = []
        for first in range(0, segments * count, count):
            own = starts[first : first + count + 1]
            found.append(Near(own - own[0], words[own[0] : own[-1]], met[own[0] : own[-1]]))
        return found


def met_by_terms(
    lists: Lists, near: Near, weights: NDArray[np.float64], compiled: ModuleType | None = None
) -> NDArray[np.float64]:
    """Σ_i w_i · (the similarity of the nearest term to word i that a passage holds), float64 (n,), for every passage
    of a segment. weights: (q,). compiled: `maxsim.compiled_loops`. Raises IndexError for a row that the segment lacks.
    """
    scores = np.zeros(len(lists.numbers))
    places = lists.places(near.terms)
    if compiled is not None:
        met = np.zeros(len(scores), dtype=np.float32)
        postings = lists.starts, lists.rows, places
        if not compiled.met_by_terms(*postings, near.starts, near.similar, weights, scores, met):
            raise IndexError("a posting is of a row beyond the segment's passages")
        return scores
    met = np.empty(len(scores), dtype=np.float32)
    for word, weight in enumerate(weights.tolist()):
        own = slice(near.starts[word], near.starts[word + 1])
        held = places[own] >= 0
        found, similar = places[own][held], near.similar[own][held]
        if not len(found):
            continue
        starts, rows = slices(lists.starts, lists.rows, found)
        # Of several values for a row the last stays, that of the nearest term.
        met[rows] = np.repeat(similar, np.diff(starts))
        scores[rows] += np.multiply(met[rows], weight, dtype=np.float64)
    return scores
