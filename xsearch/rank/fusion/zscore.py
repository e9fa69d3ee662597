"""Sum of z-scores."""

from __future__ import annotations

import numpy as np

from xsearch.rank.fusion.candidates import Judged, Pool


def zscore(pool: Pool) -> Judged:
    """Z(d) = Σ_r w_r [(s_r(d) − mean_r) / sd_r + δ_r] with δ_r = (mean_r − min_r) / sd_r, over the retrievers that
    returned d; mean, sd and min are those of the list.

    Savoy, "Combining Multiple Strategies for Effective Monolingual and Cross-Language Retrieval", Information
    Retrieval 7, 2004, the operator "Z-score". δ lifts a list's lowest score to 0, which is what a passage outside
    the list gets. Where all scores of a list are equal the quotient is undefined; each counts as 1.
    """
    calibrated = np.full(pool.scores.shape, np.nan)
    for row, scores in enumerate(pool.scores):
        returned = pool.ranks[row] > 0
        if returned.any():
            values = scores[returned]
            low, spread = values.min(), values.std()
            calibrated[row, returned] = (values - low) / spread if values.max() > low else 1.0
    return Judged(pool.weights @ np.nan_to_num(calibrated), calibrated)
