"""Which texts go through the network together: batches of about equally many tokens, of texts of about equal length.

A batch is padded to its longest text. Sorted by length little is padded, and a bound on tokens instead of texts keeps
both many short texts and a few long ones at the size the device is fastest with.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from xsearch.core import BadInput, IntArray

log = logging.getLogger(__name__)


def batches(lengths: IntArray, budget: int) -> Iterator[IntArray]:
    """Rows of `lengths`, int64 (n,), in batches: rows × longest ≤ `budget`, or a single row. Longest first, so that
    what does not fit into memory shows at once; equal lengths by row."""
    order = np.lexsort((np.arange(len(lengths)), -lengths))
    start = 0
    while start < len(order):
        count = max(1, budget // max(1, int(lengths[order[start]])))
        yield order[start : start + count]
        start += count


class Budget:
    """How many tokens, padding included, go through a device at once: what is asked for, until memory does not suffice
    for a batch; half of that batch from then on."""

    def __init__(self, tokens: int, device: str, torch: Any) -> None:
        self.tokens = tokens
        self._device, self._torch = device, torch

    def batches(self, lengths: IntArray) -> list[IntArray]:
        """`batches` of so many tokens, the first of them last."""
        return list(batches(lengths, self.tokens))[::-1]

    def halve(self, error: Exception, rows: IntArray, pending: list[IntArray], lengths: IntArray) -> list[IntArray]:
        """The batches left, the first of them last, after `error` kept the batch `rows` from being done. Raises `error`
        when it is not about memory, `BadInput` when not even one row fits."""
        if not out_of_memory(error, self._torch):
            raise error
        if len(rows) == 1:
            raise BadInput(
                f"{self._device} has not enough memory for a single text of {lengths[rows[0]]} tokens: "
                "use another device or a lower precision, or have texts cut shorter"
            ) from error
        if self._device.startswith("cuda"):
            self._torch.cuda.empty_cache()
        self.tokens = max(1, int(lengths[rows[0]]) * len(rows) // 2)
        log.warning("%s is out of memory: batches are %d tokens from now on", self._device, self.tokens)
        left = np.concatenate([rows, *pending[::-1]])
        return [left[part] for part in self.batches(lengths[left])]


def out_of_memory(error: BaseException, torch: Any) -> bool:
    """Whether a device, or the machine itself, ran out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
