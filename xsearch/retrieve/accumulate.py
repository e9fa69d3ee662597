"""Scores of the passages of a segment for weighted groups of terms: by NumPy of all, by `accumulate_numba` the same of
those that can be among the best.

Both add in float64, terms of a group as they come, groups in the scorer's order, so that sums agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from xsearch.core import FloatArray, IntArray, Mask
from xsearch.core.extras import have
from xsearch.retrieve.postings import Postings
from xsearch.retrieve.scorers import Float64Array, Groups, Scorer

POSTINGS_AT_ONCE = 1 << 18
"""Postings of a line's terms that are added up at once."""
SAME = 1.0 - 1e-6
"""Scores are returned in float32: what is so near is the same there, and the passage numbers decide."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """How postings become scores, and which of these are worth keeping: `accumulate` and `above`, or what does the same
    sooner."""

    accumulate: Callable[[Postings, Groups, Scorer, int, float, Mask | None], Float64Array]
    above: Callable[[Float64Array, int, float, Mask | None], tuple[IntArray, FloatArray, float]]


def accumulate(
    segment: Postings,
    groups: Groups,
    scorer: Scorer,
    depth: int = 0,
    limit: float = 0.0,
    allowed: Mask | None = None,
) -> Float64Array:
    """The score of every passage of a segment, float64 (n,): 0 where none of the terms stands. Of what is not wanted
    nothing is left out here."""
    scores = np.zeros(len(segment.numbers))
    places = segment.places(groups.terms)
    if scorer.curve == "line" and np.all(np.diff(groups.starts) == 1):
        add_products(scores, segment, places, groups, scorer)
        return scores
    weights, rates = scorer.weights, scorer.rates
    base, slope = scorer.norm
    for group in scorer.order.tolist():
        own = slice(groups.starts[group], groups.starts[group + 1])
        if weights[group] > 0:
            rows, found = expected(segment, places[own], groups.coefficients[own])
            norms = base + slope * segment.lengths[rows].astype(np.float64)
            scores[rows] += curve(scorer.curve, found, norms, weights[group], rates[group])
    return scores


def add_products(scores: Float64Array, segment: Postings, places: IntArray, groups: Groups, scorer: Scorer) -> None:
    """Add Σ_t weight_t · c_t · w(t, d) to `scores`, many terms at a time: a query of learned weights has hundreds."""
    order = scorer.order
    order = order[(scorer.weights[order] > 0) & (places[order] >= 0)]
    sizes = segment.starts[places[order] + 1].astype(np.int64) - segment.starts[places[order]].astype(np.int64)
    for part in np.split(order, np.flatnonzero(np.diff(np.cumsum(sizes) // POSTINGS_AT_ONCE)) + 1):
        postings, counts = postings_of(segment, places[part])
        shares = np.repeat(groups.coefficients[part], counts) * segment.weights[postings]
        # One after the other, as the loop over groups would.
        np.add.at(scores, segment.rows[postings], np.repeat(scorer.weights[part], counts) * shares)


def postings_of(segment: Postings, places: IntArray) -> tuple[IntArray, IntArray]:
    """The postings of terms, given where they stand in the segment, one term's after the other's, int64, and how many
    each has."""
    begins = segment.starts[places].astype(np.int64)
    sizes: IntArray = segment.starts[places + 1].astype(np.int64) - begins
    return np.arange(sizes.sum()) + np.repeat(begins - np.cumsum(sizes) + sizes, sizes), sizes


def expected(segment: Postings, places: IntArray, coefficients: Float64Array) -> tuple[IntArray, Float64Array]:
    """Σ_t c_t · w(t, d) for the passages d in which a term stands: their rows, ascending, and the sums, above 0.

    places: int64, where the terms stand in the segment, -1 for one it lacks.
    """
    places, coefficients = places[places >= 0], coefficients[places >= 0]
    if len(places) == 1:
        only = slice(segment.starts[places[0]], segment.starts[places[0] + 1])
        return segment.rows[only].astype(np.int64), coefficients[0] * segment.weights[only].astype(np.float64)
    postings, sizes = postings_of(segment, places)
    shares = np.repeat(coefficients, sizes) * segment.weights[postings]
    sums = np.asarray(np.bincount(segment.rows[postings], weights=shares), dtype=np.float64)
    found = np.flatnonzero(sums)
    return found, sums[found]


def curve(kind: str, found: Float64Array, norms: Float64Array, weight: float, rate: float) -> Float64Array:
    """φ, as `scorers.Scorer` names its curves."""
    if kind == "saturation":
        return weight * found / (found + norms)
    if kind == "logarithm":
        return weight * np.log1p(rate * found / norms)
    return weight * found


def above(scores: Float64Array, depth: int, limit: float, allowed: Mask | None) -> tuple[IntArray, FloatArray, float]:
    """Of the scores of a segment's passages, float64 (n,), those above 0 and no less than `limit`, what the `depth`-th
    of the segments before does, among them the best `depth` of those allowed: rows, ascending, the scores, float32, and
    the limit for the next segment."""
    wanted = scores >= limit * SAME if limit > 0 else scores > 0
    rows = np.flatnonzero(wanted if allowed is None else wanted & allowed)
    found = scores[rows]
    if 0 < depth < len(rows):
        least = float(np.partition(found, len(found) - depth)[len(found) - depth])
        kept = found >= least * SAME
        rows, found, limit = rows[kept], found[kept], max(limit, least)
    return rows, found.astype(np.float32), limit


NUMPY = Kernel(accumulate, above)


@cache
def compiled() -> Kernel | None:
    """The same as compiled loops, None where numba is not installed (`pip install 'xsearch-clir[fast]'`)."""
    if not have("numba"):
        return None
    from xsearch.retrieve import accumulate_numba

    return Kernel(accumulate_numba.accumulate, accumulate_numba.above)
