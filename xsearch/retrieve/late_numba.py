"""The inner loops of late interaction compiled by numba, with the results that `maxsim` and `neighbours` have by NumPy:
whole numbers and single roundings, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

BINS = 1024


def _dot_products(query: Any, rows: Any, products: Any) -> None:
    """products[i, p] = Σ_d query[i, d] · rows[p, d], whole numbers. query: int16 (q, d). rows: int8 (n, d)."""
    for p in range(rows.shape[0]):
        for i in range(query.shape[0]):
            total = np.int32(0)
            for d in range(rows.shape[1]):
                total += np.int32(query[i, d]) * np.int32(rows[p, d])
            products[i, p] = total


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


def _met_by_pieces(
    starts: Any, rows: Any, places: Any, bounds: Any, similar: Any, weights: Any, scores: Any, stamps: Any
) -> bool:
    """Adds to `scores` as `neighbours.met_by_pieces` does; False where a posting is of no row of the segment.

    stamps: int32 (n,), zeros: the last word that met each passage, counted from 1.
    """
    for word in range(len(weights)):
        # The nearest piece is last, and the first that a passage holds is its best.
        for at in range(bounds[word + 1] - 1, bounds[word] - 1, -1):
            place = places[at]
            if place < 0:
                continue
            value = weights[word] * np.float64(similar[at])
            for posting in range(starts[place], starts[place + 1]):
                row = rows[posting]
                if row >= len(scores):
                    return False
                if stamps[row] != word + 1:
                    stamps[row] = word + 1
                    scores[row] += value
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
dot_products: Callable[..., None] = _compile(_dot_products)
word_sums: Callable[..., None] = _compile(_word_sums)
best_of: Callable[..., None] = _compile(_best_of)
met_by_pieces: Callable[..., bool] = _compile(_met_by_pieces)
most: Callable[..., NDArray[np.int64]] = _compile(_most)
