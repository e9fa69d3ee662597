"""Bootstrap confidence intervals of means over topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Interval = tuple[float, float]

_CELLS = 1 << 21
"""Topics drawn at once, over all samples: bounds the memory."""


def bootstrap_interval(
    values: Sequence[float], topics: Sequence[str], *, confidence: float = 0.95, samples: int = 2000, seed: int = 0
) -> Interval:
    """The interval of one mean; see `bootstrap_intervals`."""
    return bootstrap_intervals({"": values}, topics, confidence=confidence, samples=samples, seed=seed)[""]


def bootstrap_intervals(
    values: Mapping[str, Sequence[float]],
    topics: Sequence[str],
    *,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> dict[str, Interval]:
    """The percentile interval of the mean of each of `values` (Efron and Tibshirani 1993, section 13.3).

    Whole topics are drawn with replacement, the same ones for all measures: ``values[name][i]`` belongs to
    ``topics[i]``, and the wordings of one topic in several languages are no independent evidence (the cluster
    bootstrap; Savoy 1997 for retrieval). `confidence` in (0, 1). The same arguments give the same intervals. One topic
    alone gives an interval of no width.
    """
    names, owner = np.unique(np.asarray(topics, dtype=str), return_inverse=True)
    count = len(names)
    table = np.asarray(list(values.values()), dtype=np.float64)
    sums = np.stack([np.bincount(owner, weights=row, minlength=count) for row in table])
    sizes = np.bincount(owner, minlength=count).astype(np.float64)
    generator = np.random.default_rng(seed)
    means = np.empty((len(table), samples))
    step = max(1, _CELLS // count)
    for first in range(0, samples, step):
        drawn = generator.integers(count, size=(min(step, samples - first), count))
        total = sizes[drawn].sum(axis=1)
        for row, measure in zip(means, sums, strict=True):
            row[first : first + step] = measure[drawn].sum(axis=1) / total
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2], axis=1)
    return {name: (float(a), float(b)) for name, a, b in zip(values, low, high, strict=True)}
