"""Scoring within a limit of time: what has been scored when it is over is what counts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from xsearch.core import BadInput, FloatArray, Query
from xsearch.rank.rerank.protocol import ListReranker, RerankCandidate, Reranker, is_listwise

FIRST = 4
"""Passages asked for before it is known how long one takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a reranker said within its time. scores: float32 (n,), NaN of passages it did not come to. complete:
    whether it did all it would have done. seconds: what it took. passes: of a `ListReranker`, how many lists it made
    and how many it would have made."""

    scores: FloatArray
    complete: bool
    seconds: float
    passes: tuple[int, int] | None = None


def score_within(
    reranker: Reranker,
    query: Query,
    passages: Sequence[RerankCandidate],
    budget: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Scored:
    """The reranker's scores of `passages`, given best first.

    budget: seconds, None for as long as it takes. Passages are asked for in groups, the first of `FIRST`, later ones
    of as many as the time left suffices for at the pace so far; at least the first group is scored. A `ListReranker`
    is stopped when another pass like the last would come too late. clock: seconds from any start. Raises `BadInput` for
    a reranker that does not give a finite number for each passage.
    """
    begun = clock()
    if is_listwise(reranker):
        return _improved(reranker, query, passages, budget, clock)
    if budget is None:
        return Scored(_checked(reranker, reranker.score(query, passages), passages), True, clock() - begun)
    scores = np.full(len(passages), np.nan, dtype=np.float32)
    done, size = 0, FIRST
    while done < len(passages) and size:
        group = passages[done : done + size]
        scores[done : done + len(group)] = _checked(reranker, reranker.score(query, group), group)
        done += len(group)
        spent = clock() - begun
        # No more than doubled: the first group pays for what is set up once.
        size = min(2 * done, math.floor((budget - spent) * done / spent) if spent > 0 else len(passages))
        size = max(0, size)
    return Scored(scores, done == len(passages), clock() - begun)


def _checked(reranker: Reranker, scores: FloatArray, passages: Sequence[RerankCandidate]) -> FloatArray:
    """The scores, float32. Raises `BadInput` when there is not one number for each passage."""
    made = np.asarray(scores, dtype=np.float32)
    if made.shape != (len(passages),) or not np.isfinite(made).all():
        raise BadInput(
            f"reranker '{reranker.card.name}' was asked for {len(passages)} finite scores and gave {made.size}, "
            f"of which {int(np.isfinite(made).sum())} are finite"
        )
    return made


def _improved(
    reranker: ListReranker,
    query: Query,
    passages: Sequence[RerankCandidate],
    budget: float | None,
    clock: Callable[[], float],
) -> Scored:
    begun = last = clock()
    scores, wanted = np.full(len(passages), np.nan, dtype=np.float32), reranker.passes(len(passages))
    for done, improved in enumerate(reranker.improve(query, passages), start=1):
        scores, now = _checked(reranker, improved, passages), clock()
        if done < wanted and budget is not None and now - begun + (now - last) > budget:
            return Scored(scores, False, now - begun, (done, wanted))
        last = now
    return Scored(scores, True, clock() - begun, (wanted, wanted))
