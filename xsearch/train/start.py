"""Where training starts: vectors that agree with translation tables before the first step.

From random vectors, pieces of two languages first have to find each other; tables know most of that already. Eight
hundred steps from here reach what several thousand reach from chance.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray
from xsearch.encode.pooling import unit_rows
from xsearch.train.bags import Ints
from xsearch.train.model import StaticModel
from xsearch.train.translated import PieceTable

OWN = 0.6
"""Share of a piece's own random vector beside what its translations say: pieces with equal translations differ."""
ROWS = 4096


def aligned_start(
    counts: NDArray[np.int64], dim: int, tables: Iterable[PieceTable], rng: np.random.Generator
) -> StaticModel:
    """A model whose vectors are mixed along `tables`, all of one source language; weights as `StaticModel.initial`.

    With random unit vectors r, the matrix M of all tables (right × left pieces, columns scaled by their sum's root, so
    that pieces which translate anything weigh less) and rows scaled to length 1 by n(·): u = n(M r) + 0.6 r on the
    right, v = n(Mᵀ n(u)) + r on the left, and finally every piece that M reaches has n(M n(v)) + 0.6 r.
    """
    model = StaticModel.initial(counts, dim, rng)
    own = unit_rows(model.vectors)
    links = _Links(list(tables), len(counts))
    right = links.forward(own)
    first = np.where(links.reached[:, None], unit_rows(unit_rows(right) + np.float32(OWN) * own), own)
    left = links.backward(first)
    second = unit_rows(unit_rows(left) + own)
    right = links.forward(second)
    vectors = np.where(links.reached[:, None], unit_rows(unit_rows(right) + np.float32(OWN) * own), own)
    return StaticModel(vectors.astype(np.float32), model.raw)


class _Links:
    """The tables as one sparse matrix, in coordinates sorted both ways."""

    def __init__(self, tables: list[PieceTable], size: int) -> None:
        left = np.concatenate([table.left for table in tables])
        right = np.concatenate([table.right for table in tables])
        weights = np.concatenate([table.weights for table in tables])
        sums = np.bincount(left, weights=weights, minlength=size)
        weights = (weights / np.sqrt(np.maximum(sums, 1e-3))[left]).astype(np.float32)
        self._size = size
        self._by_right = _sorted(right, left, weights)
        self._by_left = _sorted(left, right, weights)
        self.reached: NDArray[np.bool_] = np.bincount(right, minlength=size) > 0

    def forward(self, rows: FloatArray) -> FloatArray:
        """For every piece, the weighted sum of the rows of the pieces it translates."""
        return _sum(self._by_right, rows, self._size)

    def backward(self, rows: FloatArray) -> FloatArray:
        """For every piece, the weighted sum of the rows of its translations."""
        return _sum(self._by_left, rows, self._size)


def _sorted(to: Ints, origin: Ints, weights: FloatArray) -> tuple[Ints, Ints, FloatArray]:
    order = np.argsort(to, kind="stable")
    return to[order], origin[order], weights[order]


def _sum(links: tuple[Ints, Ints, FloatArray], rows: FloatArray, size: int) -> FloatArray:
    to, origin, weights = links
    out = np.zeros((size, rows.shape[1]), dtype=np.float32)
    begins = np.searchsorted(to, np.arange(0, size + ROWS, ROWS))
    for begin, end in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True):
        # One stretch of target pieces at a time: all products at once would take gigabytes.
        targets, first = np.unique(to[begin:end], return_index=True)
        if len(targets):
            out[targets] = np.add.reduceat(rows[origin[begin:end]] * weights[begin:end, None], first, axis=0)
    return out
