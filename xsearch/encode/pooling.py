"""Sums of table rows over bags of row numbers: the one inner loop of static encoders, in training and in use."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray

BLOCK_ROWS = 1024
"""Rows gathered at a time: 1,024 rows of 256 floats are 1 MiB, which stays in a core's cache between the gather and
the sum."""


def sum_bags(
    table: FloatArray, rows: NDArray[np.integer], starts: NDArray[np.integer], executor: Executor | None = None
) -> FloatArray:
    """Sum of ``table[rows[starts[b]:starts[b + 1]]]`` for every bag b, a zero row for an empty bag.

    table: float32 (n, dim). rows: (m,), numbers of table rows, bag after bag. starts: (bags + 1,), ascending from 0
    to m. Returns float32 (bags, dim). A bag's rows are added in their order, so that neither the other bags of the
    call nor `executor` (threads to share the work among) change a bit of its sum.
    """
    sizes = np.diff(starts)
    out = np.zeros((len(sizes), table.shape[1]), dtype=np.float32)

    def add_block(bags: NDArray[np.intp], size: int) -> None:
        places = starts[bags][:, None] + np.arange(size)
        out[bags] = table.take(rows[places], axis=0).sum(axis=1)

    blocks = _blocks(sizes)
    if executor is None:
        for bags, size in blocks:
            add_block(bags, size)
    else:
        list(executor.map(lambda block: add_block(*block), blocks))
    return out


def _blocks(sizes: NDArray[np.integer]) -> list[tuple[NDArray[np.intp], int]]:
    """Bags of equal size together (their rows then form one regular array, which numpy sums twice as fast as ragged
    stretches), cut so that a block holds about `BLOCK_ROWS` rows. Empty bags are left out."""
    order = np.argsort(sizes, kind="stable")
    ordered = sizes[order]
    blocks = []
    for size in sorted(set(ordered[ordered > 0].tolist())):
        first, last = np.searchsorted(ordered, [size, size + 1]).tolist()
        step = max(1, BLOCK_ROWS // size)
        blocks += [(order[begin : min(begin + step, last)], size) for begin in range(first, last, step)]
    return blocks


def unit_rows(vectors: FloatArray) -> FloatArray:
    """`vectors` (n, dim) with every row scaled to length 1; a zero row stays zero."""
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    units: FloatArray = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return units
