"""Products of 8-bit codes as a loop compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

Array = np.ndarray[Any, Any]
# Partial sums are whole numbers that float32 holds (`retrieve.codes`): in whatever order they are added up.
_compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(
    cache=True, nogil=True, fastmath={"reassoc", "contract"}
)


@_compiled
def products(codes: Array, query: Array) -> Array:
    """Dot products of codes, int8 (n, dim), with integers that `codes.Quantizer.encode_queries` made, float32 (dim,):
    float32 (n,)."""
    found = np.empty(len(codes), dtype=np.float32)
    for row in range(len(codes)):
        total = np.float32(0.0)
        for place in range(len(query)):
            total += np.float32(codes[row, place]) * query[place]
        found[row] = total
    return found
