"""One query's result inside the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from xsearch.core.batch import FloatArray, IntArray
from xsearch.core.order import ranked


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Passage numbers with scores, best first; equal scores by ascending passage number.

    passages: int64 (n,), each at most once. scores: float32 (n,), higher is better, finite. background: per passage
    language, mean and standard deviation of this query's scores over that language's passages at large, where the
    retriever knows them: what a score is worth in a language shows only against what others there get.
    """

    passages: IntArray
    scores: FloatArray
    background: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.passages)

    @staticmethod
    def of(
        passages: ArrayLike, scores: ArrayLike, background: Mapping[str, tuple[float, float]] | None = None
    ) -> Ranking:
        """A ranking of unordered (passage, score) columns, put in order. Raises ValueError on a score that is NaN."""
        numbers = np.asarray(passages, dtype=np.int64)
        values = np.asarray(scores, dtype=np.float32)
        if np.isnan(values).any():
            raise ValueError("a score is NaN")
        order = ranked(numbers, values, len(values))
        return Ranking(numbers[order], values[order], background or {})

    def top(self, n: int) -> Ranking:
        """The first `n`."""
        return Ranking(self.passages[:n], self.scores[:n], self.background)
