"""Fusion by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xsearch.core import Ranking, UsageError
from xsearch.core.order import best_first
from xsearch.rank.fusion.candidates import Candidates, Fused, Method, pool
from xsearch.rank.fusion.fair import fair
from xsearch.rank.fusion.minmax import minmax
from xsearch.rank.fusion.roundrobin import roundrobin
from xsearch.rank.fusion.rrf import rrf
from xsearch.rank.fusion.zscore import zscore

METHODS: Mapping[str, Method] = {
    "fair": fair,
    "rrf": rrf,
    "zscore": zscore,
    "minmax": minmax,
    "roundrobin": roundrobin,
}


def fuse(method: str | Method, candidates: Sequence[Candidates], depth: int | None = None) -> Fused:
    """One ranking of the union of the candidates' passages, the best `depth` of it (all by default).

    `method` is a name in `METHODS` or such a function, e.g. ``functools.partial(rrf, k=10)``. Equal scores stand by
    ascending passage number. Raises `UsageError` for an unknown method or candidates that cannot be fused.
    """
    if isinstance(method, str):
        if method not in METHODS:
            raise UsageError(f"unknown fusion '{method}': known are {', '.join(METHODS)}")
        method = METHODS[method]
    table = pool(candidates)
    judged = method(table)
    scores = judged.scores.astype(np.float32)
    order = best_first(scores, len(scores) if depth is None else depth)
    return Fused(Ranking(table.passages[order], scores[order]), table, judged, order)
