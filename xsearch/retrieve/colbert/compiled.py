"""The inner loops of `scoring` compiled by numba, with the results that NumPy gives: dot products are whole numbers,
and each is multiplied once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from xsearch.retrieve.late_numba import met_by_terms, most

__all__ = ["best_tokens", "met_by_terms", "most"]


def _best_tokens(
    centroids: Any, byte_weights: Any, starts: Any, cells: Any, codes: Any, rows: Any, asked: Any, best: Any
) -> bool:
    """best[n, i] = max_j q_i · v_j / |v_j| over the tokens j of passage rows[n]; False where a token's centroid is not
    there. centroids: int16 (k, dim). byte_weights: int16 (256, each). cells: (t,), or none for centroid 0. asked: int16
    (q, dim)."""
    dim, each = centroids.shape[1], byte_weights.shape[1]
    vector = np.empty(codes.shape[1] * each, dtype=np.int16)
    for n in range(len(rows)):
        for i in range(len(asked)):
            best[n, i] = -np.inf
        for token in range(starts[rows[n]], starts[rows[n] + 1]):
            cell = np.int64(cells[token]) if len(cells) else 0
            if cell >= len(centroids):
                return False
            for byte in range(codes.shape[1]):
                for part in range(each):
                    vector[byte * each + part] = byte_weights[codes[token, byte], part]
            square = np.int32(1)
            for d in range(dim):
                vector[d] += centroids[cell, d]
                square += np.int32(vector[d]) * np.int32(vector[d])
            scale = np.float32(1.0 / np.sqrt(np.float64(square)))
            for i in range(len(asked)):
                total = np.int32(0)
                for d in range(dim):
                    total += np.int32(asked[i, d]) * np.int32(vector[d])
                best[n, i] = max(best[n, i], np.float32(total) * scale)
    return True


best_tokens: Callable[..., bool] = numba.njit(cache=True, nogil=True)(_best_tokens)
