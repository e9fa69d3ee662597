"""The inner loops of late interaction compiled by numba, with the results that `maxsim` and `neighbours` have by NumPy:
whole numbers and single roundings, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

BINS = 1024
ROUNDING = 1.5 * 2.0**52
"""Added to a number and taken from it again, it leaves the nearest whole number, halves to even. `np.rint` would be a
call, which takes twice as long as the dot product before it."""


def _multiply(query: Any, factors: Any, rows: Any, scales: Any, tokens: Any, products: Any) -> None:
    """products[i, tokens[p]] = Σ_d query[i, d] · rows[p, d] · factors[i] · scales[p], to the nearest whole number.
    query, rows: int8 (q, d) and (n, d). factors: float64 (q,). scales: float32 (n,)."""
    for p in range(rows.shape[0]):
        for i in range(query.shape[0]):
            total = np.int32(0)
            for d in range(rows.shape[1]):
                # Products of two bytes fit in two, which processors multiply many of at once.
                total += np.int32(np.int16(query[i, d]) * np.int16(rows[p, d]))
            products[i, tokens[p]] = np.float64(total) * factors[i] * np.float64(scales[p]) + ROUNDING - ROUNDING


def _reaching(largest: Any, pieces: Any, begins: Any, least: Any, reach: Any) -> None:
    """reach[w] = the sum of largest[p] over the pieces p of word w is above least[w]."""
    last = len(begins) - 1
    for w in range(last + 1):
        end = begins[w + 1] if w < last else len(pieces)
        total = np.float32(0.0)
        for at in range(begins[w], end):
            total += largest[pieces[at]]
        reach[w] = total > least[w]


def _word_sums(products: Any, places: Any, begins: Any, sums: Any) -> None:
    """sums[i, w] = Σ of products[i, p] over the pieces p of word w. places: of each piece of each word."""
    last = len(begins) - 1
    for w in range(last + 1):
        end = begins[w + 1] if w < last else len(places)
        for i in range(products.shape[0]):
            total = np.int32(0)
            for at in range(begins[w], end):
                total += products[i, places[at]]
            sums[i, w] = total


def _best_of(similar: Any, starts: Any, entries: Any, best: Any) -> None:
    """best[i, d] = the largest similar[i, w] over the entries w of passage d, 0 for none."""
    for i in range(similar.shape[0]):
        row = similar[i]
        for d in range(len(starts) - 1):
            largest = np.float32(0.0)
            for at in range(starts[d], starts[d + 1]):
                value = row[entries[at]]
                largest = max(largest, value)
            best[i, d] = largest


def _met_by_terms(
    starts: Any, rows: Any, places: Any, bounds: Any, similar: Any, weights: Any, scores: Any, met: Any
) -> bool:
    """Adds to `scores` as `neighbours.met_by_terms` does; False where a posting is of no row of the segment.

    met: float32 (n,), zeros, for the nearest term that each passage holds.
    """
    for word in range(len(weights)):
        postings = 0
        for at in range(bounds[word], bounds[word + 1]):
            place, value = places[at], similar[at]
            if place < 0:
                continue
            postings += starts[place + 1] - starts[place]
            for posting in range(starts[place], starts[place + 1]):
                row = rows[posting]
                if row >= len(scores):
                    return False
                met[row] = max(met[row], value)
        if postings > len(scores):
            for row in range(len(scores)):
                scores[row] += weights[word] * np.float64(met[row])
                met[row] = 0.0
            continue
        for at in range(bounds[word], bounds[word + 1]):
            place = places[at]
            if place < 0:
                continue
            for posting in range(starts[place], starts[place + 1]):
                row = rows[posting]
                scores[row] += weights[word] * np.float64(met[row])
                met[row] = 0.0
    return True


def _most(scores: Any, count: int) -> Any:
    """Rows with a score above 0, int64, ascending: all, or those of the `count` highest and some more."""
    highest = 0.0
    for score in scores:
        highest = max(highest, score)
    if highest <= 0.0:
        return np.empty(0, dtype=np.int64)
    bins = np.zeros(BINS, dtype=np.int64)
    scale = (BINS - 1) / highest
    for score in scores:
        if score > 0.0:
            bins[int(score * scale)] += 1
    lowest, found = BINS - 1, bins[BINS - 1]
    while lowest > 0 and found < count:
        lowest -= 1
        found += bins[lowest]
    rows = np.empty(found, dtype=np.int64)
    at = 0
    for row in range(len(scores)):
        score = scores[row]
        if score > 0.0 and int(score * scale) >= lowest:
            rows[at] = row
            at += 1
    return rows


_compile = numba.njit(cache=True, nogil=True)
multiply: Callable[..., None] = _compile(_multiply)
reaching: Callable[..., None] = _compile(_reaching)
word_sums: Callable[..., None] = _compile(_word_sums)
best_of: Callable[..., None] = _compile(_best_of)
met_by_terms: Callable[..., bool] = _compile(_met_by_terms)
most: Callable[..., NDArray[np.int64]] = _compile(_most)
