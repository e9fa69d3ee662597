"""Reciprocal rank fusion."""

from __future__ import annotations

import numpy as np

from xsearch.rank.fusion.candidates import Judged, Pool


def rrf(pool: Pool, k: float = 60.0) -> Judged:
    """RRF(d) = Σ_r w_r / (k + rank_r(d)), where a retriever that did not return d adds nothing.

    Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank Learning
    Methods", SIGIR 2009; k = 60 is theirs, and so are weights of 1.
    """
    calibrated = np.where(pool.ranks > 0, 1.0 / (k + pool.ranks), np.nan)
    return Judged(pool.weights @ np.nan_to_num(calibrated), calibrated)
