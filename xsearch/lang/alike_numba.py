"""`alike.likely` as loops compiled by numba: the sums of `spellings.alignment_odds` in the same order, so the same
numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from xsearch.lang.romanise import MAX_KEY
from xsearch.lang.spellings import STEPS

Array = np.ndarray[Any, Any]
_compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(cache=True, nogil=True)


@_compiled
def likely(
    key: Array, asked: Any, steps_of: Any, words: Any, ranges: Array, least: Array, rows: Array, odds: Array
) -> int:
    """Fill `rows`, int64, and `odds`, float32, and return how many there are. asked: family, kinds, skeleton, shift and
    slip of `alike.Asked`. steps_of: table of steps, what a letter can add, what it costs to leave out so many letters
    at the end. words: codes, starts, lengths and families of keys, skeletons and groups."""
    family, kinds, skeleton, shift, slip = asked
    table, most, prices = steps_of
    codes, starts, lengths, families, skeletons, groups = words
    best = np.zeros(MAX_KEY + 1, dtype=np.float32)
    written = np.zeros(MAX_KEY + 1, dtype=np.float32)
    steps = np.zeros(MAX_KEY, dtype=np.int64)
    count = 0
    for i in range(len(ranges)):
        for row in range(ranges[i, 0], ranges[i, 1]):
            size, kind = lengths[row], families[row]
            if not kinds[kind] or size > MAX_KEY:
                continue
            begins = np.int64(skeletons[row]) >> shift == skeleton
            if kind == family and not begins and not (slip and abs(size - len(key)) <= 2):
                continue
            column, lowest = np.int64(kind) * STEPS, least[groups[row]]
            bound = np.float32(0.0)
            for j in range(size):
                steps[j] = column + codes[starts[row] + j]
                bound += most[steps[j]]
            # Less a little for sums in float32 in another order.
            if bound < lowest - 0.01:
                continue
            found = _aligned(key, table, prices, column, steps, size, best, written)
            if found >= lowest:
                rows[count], odds[count] = row, found
                count += 1
    return count


@_compiled
def _aligned(
    key: Array, table: Array, prices: Array, column: int, steps: Array, size: int, best: Array, written: Array
) -> Any:
    """The odds of the best alignment with the key whose letters are `steps` in a row of the table, float32."""
    for j in range(size):
        written[j + 1] = written[j] + table[0, steps[j]]
    best[: size + 1] = 0.0
    likeliest, ending = np.float32(-np.inf), len(prices) - 1
    for i in range(len(key)):
        letter = key[i]
        left_out = table[letter, column]
        before = best[0]
        best[0] = before + left_out
        for j in range(size):
            match = (table[letter, steps[j]] - table[0, steps[j]]) + before
            before = best[j + 1]
            best[j + 1] = max(before + left_out, match, best[j])
        left = len(key) - 1 - i
        if left <= ending:
            likeliest = max(likeliest, best[size] + written[size] - prices[left])
    for left in range(1, ending + 1):
        # A stem of two letters at least.
        at = max(size - left, min(size, 2))
        likeliest = max(likeliest, best[at] + written[at] - prices[left])
    return likeliest
