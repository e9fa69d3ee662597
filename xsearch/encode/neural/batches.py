"""Which texts go through the network together: batches of about equally many tokens, of texts of about equal length.

A batch is padded to its longest text. Sorted by length little is padded, and a bound on tokens instead of texts keeps
both many short texts and a few long ones at the size the device is fastest with.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xsearch.core import IntArray


def batches(lengths: IntArray, budget: int) -> Iterator[IntArray]:
    """Rows of `lengths`, int64 (n,), in batches: rows × longest ≤ `budget`, or a single row. Longest first, so that
    what does not fit into memory shows at once; equal lengths by row."""
    order = np.lexsort((np.arange(len(lengths)), -lengths))
    start = 0
    while start < len(order):
        count = max(1, budget // max(1, int(lengths[order[start]])))
        yield order[start : start + count]
        start += count
