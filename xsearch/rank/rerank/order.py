"""A reranker's scores put into a ranking of documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Reordered:
    """order: int64 (n,), places in the ranking as it was, best first. scores: float32 (n,), aligned to `order`,
    descending."""

    order: IntArray
    scores: FloatArray


def reorder(fused: FloatArray, reranked: FloatArray, mix: float = 1.0) -> Reordered:
    """The documents with a reranked score in its order, then the others in theirs.

    fused: float32 (n,), descending. reranked: float32 (n,), NaN of documents that have none. Equal scores keep the
    order of `fused`. The others keep the distances of their fused scores, moved down such that the first stands 1 below
    the last reranked one: scores of two origins do not compare.

    mix: below 1, a reranked document's score is  mix · r + (1 − mix) · f  with r and f its reranked and its fused score
    put between 0 and 1 by the least and the greatest of the documents reranked.
    """
    places = np.arange(len(fused))
    inside = ~np.isnan(reranked)
    scored, rest = places[inside], places[~inside]
    values = reranked[inside].astype(np.float64)
    if mix < 1 and len(values):
        values = mix * _unit(values) + (1 - mix) * _unit(fused[inside].astype(np.float64))
    best_first = np.argsort(-values, kind="stable")
    below = fused[rest].astype(np.float64)
    if len(values) and len(rest):
        below += values.min() - 1 - below.max()
    return Reordered(
        np.concatenate([scored[best_first], rest]).astype(np.int64),
        np.concatenate([values[best_first], below]).astype(np.float32),
    )


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = values.max() - values.min()
    scaled: NDArray[np.float64] = (values - values.min()) / spread if spread > 0 else np.ones_like(values)
    return scaled
