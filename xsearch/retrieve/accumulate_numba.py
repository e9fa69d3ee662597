"""`accumulate` as loops compiled by numba: one pass over the postings, no arrays between."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from xsearch.retrieve.postings import Postings
from xsearch.retrieve.scorers import Float64Array, Groups, Scorer

_CURVES = {"line": 0, "saturation": 1, "logarithm": 2}


def accumulate(segment: Postings, groups: Groups, scorer: Scorer) -> Float64Array:
    """The score of every passage of a segment, float64 (n,): 0 where none of the terms stands. Raises IndexError for
    a row that the segment does not have."""
    scores = np.zeros(len(segment.numbers))
    kind, (base, slope) = _CURVES[scorer.curve], scorer.norm
    asked = groups.starts, segment.places(groups.terms), groups.coefficients, scorer.weights, scorer.rates
    postings = segment.starts, segment.rows, segment.weights, segment.lengths
    if not _run(*postings, *asked, kind, base, slope, scores):
        raise IndexError("a posting is of a row beyond the segment's passages")
    return scores


def _loops(
    starts: Any,
    rows: Any,
    held: Any,
    lengths: Any,
    groups: Any,
    places: Any,
    coefficients: Any,
    weights: Any,
    rates: Any,
    kind: int,
    base: float,
    slope: float,
    scores: Any,
) -> bool:
    sums = np.zeros(len(scores))
    touched = np.empty(len(scores), dtype=np.int64)
    for group in range(len(groups) - 1):
        if weights[group] <= 0.0:
            continue
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
            found, norm = sums[row], base + slope * lengths[row]
            sums[row] = 0.0
            if kind == 1:
                scores[row] += weights[group] * found / (found + norm)
            elif kind == 2:
                scores[row] += weights[group] * math.log1p(rates[group] * found / norm)
            else:
                scores[row] += weights[group] * found
    return True


_run: Callable[..., bool] = numba.njit(cache=True, nogil=True)(_loops)
