"""Learned sparse retrieval: dot products of a query's and the passages' weights of vocabulary entries (SPLADE: Formal
et al. 2021; BGE-M3: Chen et al. 2024; BLADE: Nair et al. 2023).

    score(q, d) = Σ_t q_t · d_t

Passages' weights are kept in thousandths, rounded; queries' as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import Mask, PassageBatch, Query, Ranking
from xsearch.retrieve.best import Best
from xsearch.retrieve.impact import Impact, ImpactWriter, Terms
from xsearch.retrieve.scorers import Dot, Groups

SCALE = 1000
"""Parts of a unit of weight that are told apart. Encoders' weights seldom exceed 4: two bytes hold 65."""


def weights_of(batch: PassageBatch) -> Terms | None:
    """The weights of a batch as integers; those that round to 0 are left out."""
    if batch.weights is None:
        return None
    weights = np.rint(batch.weights.weights.astype(np.float64) * SCALE).astype(np.int64)
    kept = weights > 0
    starts = np.concatenate(([0], np.cumsum(kept)))[batch.weights.starts]
    return Terms(batch.weights.terms[kept], starts, weights[kept])


SparseWriter = partial(ImpactWriter, read=weights_of)
"""The writer of the part: postings of the encoder's vocabulary."""


class Sparse:
    """One snapshot of the part, safe to search from several threads. Raises `IndexDamaged` when a file is missing or
    does not fit the state."""

    def __init__(self, folder: Path, state: Mapping[str, Any]) -> None:
        self._postings = Impact(folder, state)

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language (of `langs` alone if given) that score above 0, by score, then
        passage number. allowed: passages that may be returned; they come whenever they match. The ranking's background
        is mean and standard deviation of this query's scores over all of a language's passages."""
        found: list[Best] = []
        background: dict[str, tuple[float, float]] = {}
        asked = query.weights
        for lang in self._postings.languages() if asked is not None else ():
            if asked is None or (langs is not None and lang not in langs):
                continue
            groups = Groups(
                np.arange(len(asked.terms) + 1), asked.terms.astype(np.int64), np.full(len(asked.terms), 1 / SCALE)
            )
            scorer = Dot(asked.weights.astype(np.float64))
            best, background[lang] = self._postings.best_of_all(lang, groups, scorer, depth, allowed)
            found.append(best)
        merged = Best.merge(found, sum(len(part.scores) for part in found))
        return Ranking.of(merged.passages, merged.scores, background)

    def support(self, query_lang: str, passage_lang: str) -> float:
        """1: how well languages meet in one vocabulary is the encoder's to say."""
        return 1.0

    def languages(self) -> list[str]:
        """The languages that have passages, sorted."""
        return self._postings.languages()

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._postings.close()
