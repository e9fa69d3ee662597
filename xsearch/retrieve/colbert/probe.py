"""Candidates by centroid probing: the passages that have tokens near to the centroids that a query's vectors are near
to (PLAID: Santhanam et al. 2022b), with a similarity imputed where a passage has none (WARP: Scheerer et al. 2025).

    candidate(q, d) = Σ_i max(m_i, max_{c ∈ P_i ∩ d} q_i · c)

P_i are the centroids nearest to query vector i, as many as are probed; m_i, the similarity of the farthest of them, is
the most that a passage without any of them can have. Only lists of passages are read for it, no codes.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from xsearch.core import FloatArray, IntArray, Mask
from xsearch.retrieve.best import Best
from xsearch.retrieve.colbert.segment import Segment
from xsearch.retrieve.neighbours import Near, met_by_terms


def probed(similar: FloatArray, cells: IntArray, count: int) -> Near:
    """The `count` of `cells`, int64 (c,), that are nearest to every vector of a query: their similarities less the
    lowest of them.

    similar: float32 (q, k), of the query's vectors and all centroids.
    """
    own = similar[:, cells]
    count = min(count, len(cells))
    places = np.argpartition(own, len(cells) - count, axis=1)[:, len(cells) - count :]
    values = np.take_along_axis(own, places, axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    places, values = np.take_along_axis(places, order, axis=1), np.take_along_axis(values, order, axis=1)
    starts = np.arange(len(similar) + 1) * count
    return Near(starts, cells[places.ravel()], (values - values[:, :1]).ravel())


def promising(
    segments: list[Segment], near: Near, count: int, allowed: Mask | None, compiled: ModuleType | None
) -> IntArray:
    """Numbers of the `count` passages that score best by `near`, of those allowed, ascending. Raises IndexError for a
    row that a segment lacks."""
    weights, parts = np.ones(len(near.starts) - 1), []
    for segment in segments:
        scores = met_by_terms(segment.lists, near, weights, compiled)
        if allowed is not None:
            scores[~allowed[segment.lists.numbers]] = 0.0
        rows = np.flatnonzero(scores > 0) if compiled is None else compiled.most(scores, count)
        parts.append(Best.of(segment.lists.numbers[rows], scores[rows].astype(np.float32), count))
    return np.sort(Best.merge(parts, count).passages)
