"""IBM model 1: every place of a sentence is as likely as any other (Brown, Della Pietra, Della Pietra and Mercer 1993,
"The Mathematics of Statistical Machine Translation", section 4)."""

from __future__ import annotations

import numpy as np

from xsearch.core import FloatArray
from xsearch.train.align.pairs import Block
from xsearch.train.align.tables import Model

LEAST = np.float32(1e-12)


def model1_posteriors(block: Block, model: Model, null: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """How likely each right piece comes from each left piece, and the other way round, given the sentences.

    With I left pieces and p₀ = `null`, p(a_j = i | f, e) = q t(f_j | e_i) / (p₀ t(f_j | null) + q Σ_i' t(f_j | e_i')),
    q = (1 − p₀) / I: equation 17 of the paper with a probability of its own for the empty word. Returns float32
    (J, n, I) and (J, n), the share of the empty word, for right from left; (J, n, I) and (n, I) for left from right.
    Zero at padding.
    """
    right = model.right.probabilities[block.cells]
    left = model.left.probabilities[block.cells]
    right *= ((1 - null) / block.left_sizes).astype(np.float32)[:, None]
    left *= ((1 - null) / block.right_sizes).astype(np.float32)[:, None]
    right_null = np.float32(null) * model.right.null[block.rights.T]
    left_null = np.float32(null) * model.left.null[block.lefts]
    right_sum = np.maximum(right.sum(axis=2) + right_null, LEAST)
    left_sum = np.maximum(left.sum(axis=0) + left_null, LEAST)
    right /= right_sum[:, :, None]
    left /= left_sum
    return right, right_null / right_sum, left, left_null / left_sum
