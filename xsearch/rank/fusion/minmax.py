"""CombSUM of min-max normalised scores."""

from __future__ import annotations

import numpy as np

from xsearch.rank.fusion.candidates import Judged, Pool


def minmax(pool: Pool) -> Judged:
    """CombSUM(d) = Σ_r w_r (s_r(d) − min_r) / (max_r − min_r), over the retrievers that returned d.

    CombSUM: Fox and Shaw, "Combination of Multiple Searches", TREC-2, 1994. The normalisation: Lee, "Analyses of
    Multiple Evidence Combination", SIGIR 1997, equation 1. Where all scores of a list are equal the quotient is
    undefined; each counts as 1, so that being returned stays better than not.
    """
    calibrated = np.full(pool.scores.shape, np.nan)
    for row, scores in enumerate(pool.scores):
        returned = pool.ranks[row] > 0
        if returned.any():
            values = scores[returned]
            low, high = values.min(), values.max()
            calibrated[row, returned] = (values - low) / (high - low) if high > low else 1.0
    return Judged(pool.weights @ np.nan_to_num(calibrated), calibrated)
