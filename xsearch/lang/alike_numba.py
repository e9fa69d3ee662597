"""`alike.odds_above` as loops compiled by numba: the sums of `spellings.alignment_odds` in the same order, the same
numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

Array = np.ndarray[Any, Any]


def _odds_above(
    key: Array,
    table: Array,
    most: Array,
    prices: Array,
    keys: tuple[Array, Array, Array, Array],
    least: Array,
    found: Array,
) -> None:
    """Fill `found`, float32 (n,).

    key: intp (m,) codes. table: float32 (steps, families × steps); most: float32 (families × steps,), what a letter
    can add. prices: float32, what it costs to leave out so many letters at the end, 0 for none. keys: codes uint8;
    starts and lengths int64 (n,); intp (n,), where the steps to each key's family begin in a row of the table.
    """
    codes, starts, lengths, columns = keys
    longest = 0
    for row in range(len(lengths)):
        longest = max(longest, lengths[row])
    best = np.zeros(longest + 1, dtype=np.float32)
    written = np.zeros(longest + 1, dtype=np.float32)
    steps = np.zeros(longest, dtype=np.int64)
    ending = len(prices) - 1
    for row in range(len(found)):
        size, column = lengths[row], columns[row]
        bound = np.float32(0.0)
        for j in range(size):
            steps[j] = column + codes[starts[row] + j]
            bound += most[steps[j]]
        # Less a little for sums in float32 in another order.
        if bound < least[row] - 0.01:
            found[row] = -np.inf
            continue
        for j in range(size):
            written[j + 1] = written[j] + table[0, steps[j]]
        best[: size + 1] = 0.0
        likeliest = np.float32(-np.inf)
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
        found[row] = likeliest


odds_above: Callable[..., None] = numba.njit(cache=True, nogil=True)(_odds_above)
