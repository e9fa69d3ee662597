"""`accumulate` as loops compiled by numba, which leave out passages that cannot come among the best.

Groups are taken with the largest weight first. Where many postings remain and what is still to come cannot lift a
passage that has too little above the `depth` best, only the others are looked up in them (MaxScore: Turtle and Flood,
"Query Evaluation: Strategies and Optimizations", IPM 1995), in two steps: the largest weight of the block of postings
that a passage would stand in gives a bound (Ding and Suel, "Faster Top-k Document Retrieval Using Block-Max Indexes",
SIGIR 2011), and only where it suffices the block is searched. What is returned of a passage is its whole score or 0.

Arrays travel in tuples: `postings` are starts, rows, weights, lengths, block maxima and block starts of a segment,
`asked` the groups' starts, the terms' places, coefficients, weights and rates, `curve` its number, base and slope.
Nothing is divided by zero, which numba need not look out for: loops over all passages then take several at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from xsearch.core import FloatArray, IntArray, Mask
from xsearch.retrieve.accumulate import SAME
from xsearch.retrieve.postings import BLOCK, Postings
from xsearch.retrieve.scorers import Float64Array, Groups, Scorer

CURVES = {"line": 0, "saturation": 1, "logarithm": 2}
_MARGIN = 1.0 - 1e-6
"""Bounds are sums in another order, and scores are kept as float32: passages so near below the limit stay in."""
_MANY_LEFT = 16
"""Postings left for each passage of the segment from which on it is worth asking whether they can be left out: what
remains of fewer is added in less time than it takes to find the `depth`-th best."""
_LOOKUP = 12
"""Postings passed over in the time in which a passage is looked up in the postings of one term."""
_MANY = 4
"""Passages looked at in turn in the time in which one that a posting names is remembered and fetched."""
_NONE = np.ones(0, dtype=np.bool_)

_compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(cache=True, nogil=True, error_model="numpy")


def accumulate(
    segment: Postings, groups: Groups, scorer: Scorer, depth: int, limit: float, allowed: Mask | None
) -> Float64Array:
    """The scores of a segment's passages, float64 (n,): 0 where none of the terms stands, and for passages that are
    not among the `depth` best of those allowed, or score below `limit`. allowed: bool (n,), None for all. Raises
    IndexError for a row that the segment does not have."""
    scores = np.zeros(len(segment.numbers))
    postings = segment.starts, segment.rows, segment.weights, segment.lengths, segment.maxima, segment.block_starts
    asked = groups.starts, segment.places(groups.terms), groups.coefficients, scorer.weights, scorer.rates
    inside = np.ones(len(scores), dtype=np.bool_) if allowed is None else allowed
    if not search_segment(
        postings, asked, scorer.order, (CURVES[scorer.curve], *scorer.norm), depth, limit, inside, scores
    ):
        raise IndexError("a posting is of a row beyond the segment's passages")
    return scores


def above(scores: Float64Array, depth: int, limit: float, allowed: Mask | None) -> tuple[IntArray, FloatArray, float]:
    """As `accumulate.above`; of what is not among the best `depth` some more is left out where many are equal."""
    inside = _NONE if allowed is None else allowed
    rows, found, least = best_above(scores, depth, limit, inside, allowed is not None)
    return rows, found, least


@_compiled
def best_above(scores: Any, depth: int, limit: float, inside: Any, restricted: bool) -> Any:
    """`above` of the rows that are `inside`, if it is restricted to them."""
    rows, found, count = np.empty(len(scores), dtype=np.int64), np.empty(len(scores)), 0
    floor = limit * SAME
    size = len(scores) // depth if depth > 0 else 0
    if size > 1:
        # As many blocks as are wanted hold their highest score each: the lowest of these is a bound.
        lowest = np.inf
        for block in range(depth):
            highest = 0.0
            for row in range(block * size, (block + 1) * size):
                if scores[row] > highest and (not restricted or inside[row]):
                    highest = scores[row]
            lowest = min(lowest, highest)
        floor = max(floor, lowest * SAME)
    for row in range(len(scores)):
        if scores[row] > 0.0 and scores[row] >= floor and (not restricted or inside[row]):
            rows[count], found[count] = row, scores[row]
            count += 1
    rows, found = rows[:count], found[:count]
    if 0 < depth < count:
        least = np.partition(found, count - depth)[count - depth]
        kept = found >= least * SAME
        rows, found, limit = rows[kept], found[kept], max(limit, least)
    return rows, found.astype(np.float32), limit


@_compiled
def _phi(kind: int, found: float, norm: float, weight: float, rate: float) -> float:
    if kind == 1:
        return weight * found / (found + norm)
    if kind == 2:
        return weight * math.log1p(rate * found / norm)
    return weight * found


@_compiled
def search_segment(
    postings: Any, asked: Any, order: Any, curve: Any, depth: int, limit: float, allowed: Any, scores: Any
) -> bool:
    """Fill `scores`, zeros, as `accumulate` does; False for a row that the segment does not have."""
    work, lists = _costs(postings, asked, order)
    most = np.zeros(len(order))
    if work.sum() > _MANY_LEFT * len(scores):
        most = _bounds(postings, asked, order, curve)
    norms = curve[1] + curve[2] * postings[3]
    sums, touched = np.zeros(len(scores)), np.empty(len(scores), dtype=np.int64)
    for at in range(len(order)):
        left, rest = work[at:].sum(), most[at:].sum()
        if left > _MANY_LEFT * len(scores) and rest < max(limit, most[:at].sum()):
            # Worth asking whether the passages that can still come among the best are few.
            limit = max(limit, _depth_th(scores, allowed, depth, rest))
            if rest < limit * _MARGIN:
                candidates = np.flatnonzero((scores + rest >= limit * _MARGIN) & allowed)
                if len(candidates) * lists[at:].sum() * _LOOKUP < left:
                    _finish(postings, asked, order[at:], most[at:], curve, limit * _MARGIN, candidates, scores)
                    return True
        if work[at] == 0.0:
            continue
        if work[at] * _MANY > len(scores) and curve[1] > 0.0:
            known = _add_to_all(postings, asked, order[at], curve[0], norms, sums, scores)
        else:
            known = _add(postings, asked, order[at], curve[0], norms, sums, touched, scores)
        if not known:
            return False
    return True


@_compiled
def _costs(postings: Any, asked: Any, order: Any) -> Any:
    """The postings of each group and the terms that have any, 0 for a group that takes no part."""
    starts = postings[0]
    groups, places, _, weights, _ = asked
    work, lists = np.zeros(len(order)), np.zeros(len(order))
    for at in range(len(order)):
        group = order[at]
        for term in range(groups[group], groups[group + 1]):
            place = places[term]
            if place >= 0 and weights[group] > 0.0:
                work[at] += starts[place + 1] - starts[place]
                lists[at] += 1
    return work, lists


@_compiled
def _bounds(postings: Any, asked: Any, order: Any, curve: Any) -> Any:
    """What each group can add at most."""
    _, _, _, lengths, maxima, blocks = postings
    groups, places, coefficients, weights, rates = asked
    kind, base, slope = curve
    norm = base + slope * max(1, np.int64(lengths.min()))
    most = np.zeros(len(order))
    for at in range(len(order)):
        group, bound = order[at], 0.0
        for term in range(groups[group], groups[group + 1]):
            place = places[term]
            if place >= 0 and weights[group] > 0.0:
                bound += coefficients[term] * maxima[blocks[place] : blocks[place + 1]].max()
        if bound > 0.0:
            most[at] = _phi(kind, bound, norm, weights[group], rates[group])
    return most


@_compiled
def _depth_th(scores: Any, allowed: Any, depth: int, least: float) -> float:
    """The `depth`-th best score so far, 0 where fewer lie above `least`."""
    found, count = np.empty(len(scores)), 0
    for row in range(len(scores)):
        if scores[row] > least and allowed[row]:
            found[count] = scores[row]
            count += 1
    if count < depth:
        return 0.0
    return float(np.partition(found[:count], count - depth)[count - depth])


@_compiled
def _add(postings: Any, asked: Any, group: int, kind: int, norms: Any, sums: Any, touched: Any, scores: Any) -> bool:
    """Add a group to the scores of the passages that have some of it. sums: zeros, and again so when this returns."""
    starts, rows, held, _, _, _ = postings
    groups, places, coefficients, weights, rates = asked
    count = 0
    for term in range(groups[group], groups[group + 1]):
        place = places[term]
        if place < 0:
            continue
        for posting in range(starts[place], starts[place + 1]):
            row = np.int64(rows[posting])
            if row >= len(scores):
                return False
            if sums[row] == 0.0:
                touched[count] = row
                count += 1
            sums[row] += coefficients[term] * held[posting]
    for i in range(count):
        row = touched[i]
        scores[row] += _phi(kind, sums[row], norms[row], weights[group], rates[group])
        sums[row] = 0.0
    return True


@_compiled
def _add_to_all(postings: Any, asked: Any, group: int, kind: int, norms: Any, sums: Any, scores: Any) -> bool:
    """The same, looking at every passage. No norm must be 0: of a passage without a term nothing is divided by its
    length."""
    starts, rows, held, _, _, _ = postings
    groups, places, coefficients, weights, rates = asked
    for term in range(groups[group], groups[group + 1]):
        place = places[term]
        if place < 0:
            continue
        for posting in range(starts[place], starts[place + 1]):
            row = np.int64(rows[posting])
            if row >= len(scores):
                return False
            sums[row] += coefficients[term] * held[posting]
    weight, rate = weights[group], rates[group]
    if kind == 1:
        for each in range(len(scores)):
            scores[each] += weight * sums[each] / (sums[each] + norms[each])
    else:
        for each in range(len(scores)):
            scores[each] += _phi(kind, sums[each], norms[each], weight, rate)
    sums[:] = 0.0
    return True


@_compiled
def _finish(
    postings: Any, asked: Any, order: Any, most: Any, curve: Any, limit: float, candidates: Any, scores: Any
) -> None:
    """Add the groups of `order` to the scores of `candidates`; what stays below `limit`, and all else, becomes 0."""
    _, _, _, weights, rates = asked
    kind, base, slope = curve
    partial = scores[candidates]
    scores[:] = 0.0
    for i in range(len(candidates)):
        row, score, rest = candidates[i], partial[i], most.sum()
        norm = base + slope * postings[3][row]
        for at in range(len(order)):
            group = order[at]
            rest -= most[at]
            bound = _look_up(postings, asked, group, row, True)
            if bound <= 0.0 or most[at] <= 0.0:
                continue
            if score + _phi(kind, bound, norm, weights[group], rates[group]) + rest < limit:
                score = 0.0
                break
            found = _look_up(postings, asked, group, row, False)
            if found > 0.0:
                score += _phi(kind, found, norm, weights[group], rates[group])
        scores[row] = score


@_compiled
def _look_up(postings: Any, asked: Any, group: int, row: int, bound: bool) -> float:
    """Σ_t c_t · w(t, d) of a group in one passage, or only what it can be at most, by the maxima of blocks."""
    starts, rows, held, _, maxima, blocks = postings
    groups, places, coefficients, _, _ = asked
    total = 0.0
    for term in range(groups[group], groups[group + 1]):
        place = places[term]
        if place < 0:
            continue
        start: Any = np.int64(starts[place])
        stop: Any = np.int64(starts[place + 1])
        low: Any = 0
        high: Any = blocks[place + 1] - blocks[place]
        while low < high:
            middle = (low + high) // 2
            if rows[start + middle * BLOCK] <= row:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            continue
        if bound:
            total += coefficients[term] * maxima[blocks[place] + low - 1]
            continue
        low, high = start + (low - 1) * BLOCK, min(start + low * BLOCK, stop)
        stop = high
        while low < high:
            middle = (low + high) // 2
            if rows[middle] < row:
                low = middle + 1
            else:
                high = middle
        if low < stop and rows[low] == row:
            total += coefficients[term] * held[low]
    return total
