"""The best of many scored passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xsearch.core import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Best:
    """Passages with scores, best first, equal ones by number: int64 (n,) and float32 (n,)."""

    passages: IntArray
    scores: FloatArray

    @staticmethod
    def of(passages: IntArray, scores: FloatArray, depth: int) -> Best:
        """The best `depth` of passages that each stand once."""
        if len(scores) > depth:
            cut = np.partition(scores, len(scores) - depth)[len(scores) - depth]
            passages, scores = passages[scores >= cut], scores[scores >= cut]
        order = np.lexsort((passages, -scores))[:depth]
        return Best(passages[order], scores[order])

    @staticmethod
    def merge(parts: Sequence[Best], depth: int) -> Best:
        """The best `depth` of several, no passage in two of them."""
        if len(parts) == 1:
            return parts[0]
        passages = [np.empty(0, np.int64), *(part.passages for part in parts)]
        scores = [np.empty(0, np.float32), *(part.scores for part in parts)]
        return Best.of(np.concatenate(passages), np.concatenate(scores), depth)
