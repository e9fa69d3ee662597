"""Weights that put what is right on top of its list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput, FloatArray

ROUNDS = 100
CLOSE = 1e-10
"""A step that promises to lower the loss by no more ends the search."""

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A list of n passages. features: float32 (n, f). right: bool (n,), which passages answer."""

    features: FloatArray
    right: NDArray[np.bool_]


def fit_weights(lists: Sequence[Judged], ridge: float) -> Float64Array:
    """float64 (f,): what each feature is to be multiplied with.

    Minimises the listwise loss of ListNet's top-one probabilities (Cao et al. 2007, "Learning to Rank: From Pairwise
    Approach to Listwise Approach", equations 3 and 5) for s = X w, over L lists, y the right ones sharing 1:

        loss(w) = − 1/L Σ_l Σ_d y_d ln( exp(s_d) / Σ_d' exp(s_d') ) + λ/2 |w ⊙ σ|²

    λ = `ridge`; σ are the features' standard deviations, so that a feature's unit does not matter. The loss is convex:
    Newton's steps, halved until they lower it, find its one minimum. Lists without a right passage, or with nothing
    else, teach nothing and are left out. Raises `BadInput` where no list is left.
    """
    kept = [judged for judged in lists if 0 < judged.right.sum() < len(judged.right)]
    if not kept:
        raise BadInput("no question found a right passage among wrong ones: there is nothing to learn from")
    together = np.concatenate([judged.features for judged in kept]).astype(np.float64)
    spread = together.std(axis=0)
    spread[spread == 0] = 1.0
    x = (together - together.mean(axis=0)) / spread
    starts = np.cumsum([0, *(len(judged.right) for judged in kept)])
    y = np.concatenate([judged.right / judged.right.sum() for judged in kept])
    weights = np.zeros(x.shape[1])
    loss = _loss(x, y, starts, weights, ridge)
    for _ in range(ROUNDS):
        gradient, curvature = _derivatives(x, y, starts, weights, ridge)
        step = np.linalg.solve(curvature, gradient)
        promised = float(gradient @ step)
        if promised < CLOSE:
            break
        size = 1.0
        while (lower := _loss(x, y, starts, weights - size * step, ridge)) > loss - 0.25 * size * promised:
            size /= 2
        weights, loss = weights - size * step, lower
    unscaled: Float64Array = weights / spread
    return unscaled


def reciprocal_rank(scores: Sequence[FloatArray], right: Sequence[NDArray[np.bool_]]) -> float:
    """The mean over lists of 1 / rank of the first right passage, 0 for a list without one."""
    found = []
    for own, answers in zip(scores, right, strict=True):
        ranks = np.flatnonzero(answers[np.argsort(-own, kind="stable")])
        found.append(1.0 / (ranks[0] + 1) if len(ranks) else 0.0)
    return float(np.mean(found)) if found else 0.0


def _probabilities(x: Float64Array, starts: NDArray[np.int64], weights: Float64Array) -> tuple[Float64Array, float]:
    """exp(s) / Σ exp(s) within each list, (n,), and the sum over lists of ln Σ exp(s)."""
    scores, sizes = x @ weights, np.diff(starts)
    highest = np.maximum.reduceat(scores, starts[:-1])
    powers = np.exp(scores - np.repeat(highest, sizes))
    sums = np.add.reduceat(powers, starts[:-1])
    return powers / np.repeat(sums, sizes), float((highest + np.log(sums)).sum())


def _loss(x: Float64Array, y: Float64Array, starts: NDArray[np.int64], weights: Float64Array, ridge: float) -> float:
    total = _probabilities(x, starts, weights)[1]
    return (total - float(y @ (x @ weights))) / (len(starts) - 1) + ridge / 2 * float(weights @ weights)


def _derivatives(
    x: Float64Array, y: Float64Array, starts: NDArray[np.int64], weights: Float64Array, ridge: float
) -> tuple[Float64Array, Float64Array]:
    """The loss's gradient (f,) and its Hessian (f, f)."""
    lists = len(starts) - 1
    p = _probabilities(x, starts, weights)[0]
    means = np.add.reduceat(p[:, None] * x, starts[:-1], axis=0)
    gradient = x.T @ (p - y) / lists + ridge * weights
    curvature = ((p[:, None] * x).T @ x - means.T @ means) / lists + ridge * np.eye(x.shape[1])
    return gradient, curvature
