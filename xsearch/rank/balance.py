"""Room for every language among the first results."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IntArray


def balance(langs: NDArray[np.int32], k: int, cap: int | None = None) -> IntArray:
    """Which k of a ranking's results to show, no language more than `cap` times as long as others have any left.

    `langs` is (n,), the language index of each result, best first. Returns places in it, ascending, int64, min(k, n)
    of them: the first k of those within the first `cap` of their language, then, if these are fewer than k, the
    best of the rest. `cap` is k divided by the languages present, rounded up, by default: an equal share each.
    """
    count = len(langs)
    if count == 0 or k <= 0:
        return np.empty(0, dtype=np.int64)
    if cap is None:
        cap = -(-k // int(np.count_nonzero(np.bincount(langs))))
    over = _rank_in_language(langs) >= cap
    chosen = np.argsort(over, kind="stable")[:k]
    return np.sort(chosen)


def _rank_in_language(langs: NDArray[np.int32]) -> IntArray:
    """How many results of its language stand above each result."""
    grouped = np.argsort(langs, kind="stable")
    counts = np.bincount(langs)
    within = np.arange(len(langs)) - np.repeat(np.cumsum(counts) - counts, counts)
    rank = np.empty(len(langs), dtype=np.int64)
    rank[grouped] = within
    return rank
