"""Two directions' posteriors made one: what counts as aligned.

right, left: float32 (J, n, I), p(a_j = i | …) with left pieces as states, p(b_i = j | …) with right ones.
"""

from __future__ import annotations

import numpy as np

from xsearch.core import FloatArray


def product(right: FloatArray, left: FloatArray) -> FloatArray:
    """p · q: both must think so (Liang, Taskar and Klein 2006, section 4)."""
    return right * left


def geometric_mean(right: FloatArray, left: FloatArray) -> FloatArray:
    """√(p q): as the product, with less contrast."""
    joined: FloatArray = np.sqrt(right * left)
    return joined


def minimum(right: FloatArray, left: FloatArray) -> FloatArray:
    """The lesser of both."""
    lesser: FloatArray = np.minimum(right, left)
    return lesser


def mean(right: FloatArray, left: FloatArray) -> FloatArray:
    """Half of each: one direction suffices."""
    halved: FloatArray = (right + left) * np.float32(0.5)
    return halved


SYMMETRISED = {"product": product, "geometric_mean": geometric_mean, "minimum": minimum, "mean": mean}
