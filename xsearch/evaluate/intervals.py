"""Bootstrap confidence intervals of a mean over topics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Interval = tuple[float, float]


def bootstrap_interval(
    values: Sequence[float], topics: Sequence[str], *, confidence: float = 0.95, samples: int = 2000, seed: int = 0
) -> Interval:
    """The percentile interval of the mean of `values` (Efron and Tibshirani 1993, section 13.3).

    Whole topics are drawn with replacement: ``values[i]`` belongs to ``topics[i]``, and the wordings of one topic in
    several languages are no independent evidence (the cluster bootstrap; Savoy 1997 for retrieval). `confidence` in
    (0, 1). The same arguments give the same interval. One topic alone gives an interval of no width.
    """
    names, owner = np.unique(np.asarray(topics, dtype=str), return_inverse=True)
    sums = np.bincount(owner, weights=np.asarray(values, dtype=np.float64), minlength=len(names))
    sizes = np.bincount(owner, minlength=len(names)).astype(np.float64)
    generator = np.random.default_rng(seed)
    means = np.empty(samples)
    for i in range(samples):
        drawn = generator.integers(len(names), size=len(names))
        means[i] = sums[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
