"""Which pieces of an index mean nearly what a word means, and which passages hold such pieces."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray
from xsearch.retrieve.maxsim import Asked, PieceTable

AXES = 64
"""Principal axes on which all pieces are compared first."""
COARSE = 0.3
"""Cosine on these axes from which a piece is compared in full."""
SAMPLE = 4096
"""Pieces the axes are found from."""
BLOCK = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """The pieces near to every word of a query: to word i, ``pieces[starts[i]:starts[i + 1]]``, nearest last.

    starts: int64 (q + 1,). pieces: int64 (n,). similar: float32 (n,), as `maxsim.floored` has it, above 0.
    """

    starts: IntArray
    pieces: IntArray
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


class Neighbours:
    """The pieces `tokens` of an index, int64 (n,), n at least 1, ready to be compared with words."""

    def __init__(self, table: PieceTable, tokens: IntArray) -> None:
        self._tokens = tokens
        sampled = tokens[np.unique(np.linspace(0, len(tokens) - 1, SAMPLE).astype(np.int64))]
        units = _units(table, sampled)
        # Eigenvectors come by ascending eigenvalue: what pieces differ in most is last.
        self._axes: FloatArray = np.linalg.eigh(units.T @ units)[1][:, ::-1][:, :AXES].astype(np.float32)
        self._coarse = np.empty((len(tokens), self._axes.shape[1]), dtype=np.float32)
        for start in range(0, len(tokens), BLOCK):
            rows = _units(table, tokens[start : start + BLOCK]) @ self._axes
            self._coarse[start : start + BLOCK] = _unit(rows)

    def near(self, asked: Asked) -> Near:
        """The pieces whose cosine with a word of the query is above τ, but for some whose likeness lies outside the
        principal axes."""
        coarse = _unit(asked.query.integers @ self._axes) @ self._coarse.T
        places = np.flatnonzero((coarse > COARSE).any(axis=0))
        tokens = self._tokens[places]
        similar = asked.piece_similarities(tokens)
        words, chosen = np.nonzero(similar)
        values = similar[words, chosen]
        order = np.lexsort((chosen, values, words))
        counts = np.bincount(words, minlength=len(asked.query))
        return Near(np.concatenate(([0], np.cumsum(counts))), tokens[chosen[order]], values[order])


def met_by_pieces(
    segment: Lists, near: Near, weights: NDArray[np.float64], compiled: ModuleType | None = None
) -> NDArray[np.float64]:
    """Σ_i w_i · (the similarity of the nearest piece to word i that a passage holds), float64 (n,), for every passage
    of a segment. weights: (q,). compiled: `maxsim.compiled_loops`. Raises IndexError for a row that the segment lacks.
    """
    scores = np.zeros(len(segment.numbers))
    places = segment.places(near.pieces)
    if compiled is not None:
        stamps = np.zeros(len(scores), dtype=np.int32)
        postings = segment.starts, segment.rows, places
        if not compiled.met_by_pieces(*postings, near.starts, near.similar, weights, scores, stamps):
            raise IndexError("a posting is of a row beyond the segment's passages")
        return scores
    met = np.empty(len(scores))
    for word, weight in enumerate(weights.tolist()):
        own = slice(near.starts[word], near.starts[word + 1])
        held = places[own] >= 0
        found, similar = places[own][held], near.similar[own][held]
        begins = segment.starts[found].astype(np.int64)
        sizes = segment.starts[found + 1] - begins
        if not len(sizes):
            continue
        rows = segment.rows[np.arange(sizes.sum()) + np.repeat(begins - np.cumsum(sizes) + sizes, sizes)]
        # Of several values for a row the last stays, that of the nearest piece.
        met[rows] = np.repeat(similar, sizes)
        scores[rows] += weight * met[rows]
    return scores


def _units(table: PieceTable, tokens: IntArray) -> FloatArray:
    return _unit(table.token_integers(tokens)[0].astype(np.float32))


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    units: FloatArray = rows / np.maximum(lengths, 1e-9)
    return units
