"""The training loss: in-batch softmax both ways with an additive margin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray


def softmax_loss(
    left: FloatArray, right: FloatArray, groups: NDArray[np.int64], scale: float, margin: float
) -> tuple[float, FloatArray, FloatArray]:
    """Loss of pairs of unit vectors and its gradients by them.

    With S = left rightᵀ and logits z_ij = scale (S_ij − margin [i = j]), the loss is the mean over i of
    −½ log softmax_j(z_ij)_i − ½ log softmax_j(z_ji)_i (Yang et al. 2019, "Improving multilingual sentence embedding
    using bi-directional dual encoder with additive margin softmax", equations 3-5). Pairs of one group are translations
    of each other, so z_ij is −∞ for i ≠ j of the same group.

    left, right: float32 (n, dim). Returns (loss, d loss / d left, d loss / d right).
    """
    n = len(left)
    logits: FloatArray = left @ right.T
    logits *= scale
    diagonal = np.arange(n)
    logits[diagonal, diagonal] -= scale * margin
    first, second = _same_group(groups)
    logits[first, second] = -np.inf
    # Cosines are bounded, so that exp(logits - scale) neither overflows nor vanishes and both directions share it.
    positives = logits[diagonal, diagonal].astype(np.float64)
    logits -= scale
    np.exp(logits, out=logits)
    by_row = logits.sum(axis=1, dtype=np.float64)
    by_column = logits.sum(axis=0, dtype=np.float64)
    loss = float((scale + 0.5 * (np.log(by_row) + np.log(by_column)) - positives).mean())
    gradient = logits
    gradient *= (0.5 / by_row).astype(np.float32)[:, None] + (0.5 / by_column).astype(np.float32)
    gradient[diagonal, diagonal] -= 1.0
    gradient *= np.float32(scale / n)
    by_left: FloatArray = gradient @ right
    by_right: FloatArray = gradient.T @ left
    return loss, by_left, by_right


def _same_group(groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All (i, j), i ≠ j, with equal groups."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first: list[NDArray[np.int64]] = []
    second: list[NDArray[np.int64]] = []
    for distance in range(1, len(groups)):
        equal = np.flatnonzero(ordered[distance:] == ordered[:-distance])
        if not len(equal):
            break
        first += [order[equal], order[equal + distance]]
        second += [order[equal + distance], order[equal]]
    empty = np.zeros(0, dtype=np.int64)
    return np.concatenate([empty, *first]), np.concatenate([empty, *second])
