"""The order in which passage numbers come."""

from __future__ import annotations

import numpy as np

from xsearch.core import IntArray


def next_number(expected: int, numbers: IntArray) -> int:
    """The number after a batch's last. Raises ValueError unless they ascend from `expected` or above."""
    if len(numbers) == 0:
        return expected
    if numbers[0] < expected or np.any(np.diff(numbers) <= 0):
        raise ValueError(f"passage numbers must ascend from {expected}; got {numbers[0]} to {numbers[-1]}")
    return int(numbers[-1]) + 1
